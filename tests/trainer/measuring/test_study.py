"""``stream-trainer study`` as its user runs it: on the sample, all families, to its end."""

import json
import re

import pytest

from support.commands import run_trainer
from support.processes import ROOT
from trainer.families import FAMILY_NAMES, NETWORK_NAMES

pytestmark = pytest.mark.slow

SAMPLE = ROOT / "data/study/URL.csv"


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The folder, the exit code, what was printed, and the lines of stderr."""
    folder = tmp_path_factory.mktemp("study")
    done = run_trainer(*("study", SAMPLE, "--epochs", 1), folder=folder, timeout=540, COLUMNS="60")
    return folder, done.returncode, done.stdout, done.stderr.splitlines()


@pytest.mark.timeout(600)
def test_it_comes_to_its_end_with_every_family_in_its_table(studied):
    folder, code, printed, told = studied
    assert code == 0, told[-20:]
    assert "Traceback" not in "\n".join(told)
    named = [line.split()[0] for line in printed.splitlines()[1:]]
    assert named == list(FAMILY_NAMES)
    report = json.loads((folder / "study/report.json").read_text())
    models = {model["name"]: model for model in report["models"]}
    assert tuple(models) == FAMILY_NAMES
    assert models["lexical"]["accuracy"] > 0.8
    assert any("after 'truncate'" in note for note in report["notes"])
    for name in NETWORK_NAMES:
        assert len(models[name]["history"]) == 1
        assert (folder / f"study/plots/history-{name}.svg").exists()


def test_it_is_never_silent_for_long_where_there_is_no_terminal(studied):
    *_, told = studied
    # It takes twelve seconds of computing and more, of which TensorFlow says nothing.
    assert [line for line in told if re.fullmatch(r"wide_bilstm: epoch 1, (.*, )?\d+ s", line)]


def test_the_language_model_trains_as_many_epochs_as_asked(studied):
    *_, told = studied
    epochs = [line for line in told if line.startswith("language_model: epoch")]
    assert [line for line in epochs if line.endswith("bits a character")] == epochs[-1:]
    assert epochs[-1].startswith("language_model: epoch 1 of 1, ")
