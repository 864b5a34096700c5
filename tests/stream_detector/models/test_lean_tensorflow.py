"""TensorFlow is loaded without Keras, and Keras where training uses it."""

import subprocess
import sys

import pytest

from support.commands import environment_of

_SCORER = "import stream_detector.models.scorer as scorer"
_LOADED = "print(*sorted({'keras', 'matplotlib', 'scipy.stats', 'sklearn'} & sys.modules.keys()))"


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import os, sys\n{code}"],
        env=environment_of() | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_module_that_imports_the_scorer_loads_no_tensorflow():
    done = run_python(f"{_SCORER}\nprint('tensorflow' in sys.modules)")

    assert done.stdout == "False\n"


def test_a_worker_s_model_loads_no_keras():
    done = run_python(f"{_SCORER}\nscorer.tf.constant(0)\n{_LOADED}")

    assert done.stdout == "\n"


@pytest.mark.parametrize("chosen", [None, "0"])
def test_keras_is_there_when_training_uses_it_and_the_environment_is_as_before(chosen):
    before = {} if chosen is None else {"TF_USE_LEGACY_KERAS": chosen}

    done = run_python(
        "from stream_detector.models.lean_tensorflow import tf\n"
        "print(tf.keras.__version__[0], os.environ.get('TF_USE_LEGACY_KERAS'))",
        **before,
    )

    assert done.stdout == f"3 {chosen}\n"
