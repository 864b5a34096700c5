"""``stream-trainer study`` as its user runs it: on the sample, all families, to its end."""

import itertools
import json
import subprocess
import sys
import time

import pytest

from support.commands import environment_of
from support.processes import ROOT
from trainer.families import FAMILY_NAMES, NETWORK_NAMES

pytestmark = pytest.mark.slow

SAMPLE = ROOT / "data/study/URL.csv"
_SILENT_SECONDS_MAX = 15.0
"""A line comes every five; a machine that is busy with other tests takes its time."""


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The folder, the exit code, what was printed, and each line of stderr with its time."""
    folder = tmp_path_factory.mktemp("study")
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", "study", str(SAMPLE), "--epochs", "1"],
            cwd=folder,
            env={**environment_of(), "COLUMNS": "60"},
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
        )
        told = [(time.monotonic(), "")]
        told.extend((time.monotonic(), line.rstrip("\n")) for line in process.stderr)
        code = process.wait()
    return folder, code, (folder / "printed").read_text(), told


@pytest.mark.timeout(600)
def test_it_comes_to_its_end_with_every_family_in_its_table(studied):
    folder, code, printed, told = studied
    assert code == 0, told[-20:]
    assert "Traceback" not in "\n".join(line for _, line in told)
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
    times = [moment for moment, _ in told]
    silences = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(silences) < _SILENT_SECONDS_MAX, told


def test_the_language_model_trains_as_many_epochs_as_asked(studied):
    *_, told = studied
    epochs = [line for _, line in told if line.startswith("language_model: epoch")]
    assert [line for line in epochs if line.endswith("bits a character")] == epochs[-1:]
    assert epochs[-1].startswith("language_model: epoch 1 of 1, ")
