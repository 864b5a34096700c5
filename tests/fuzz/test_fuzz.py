"""The fuzzer, as its user runs it: seconds for each target, and a fault that it has to find."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.one_target import PLANTED
from fuzz.runs import CORPUS
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]


def fuzz(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fuzz", "--folder", str(folder), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_reader_breaks_a_promise_within_a_minute(tmp_path: Path) -> None:
    result = fuzz("--minutes", f"{1 / len(TARGETS):.2f}", "--jobs", "2", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    for name in TARGETS:
        (row,) = [line for line in result.stdout.splitlines() if line.split()[:1] == [name]]
        inputs, edges = (int(word.replace(",", "")) for word in row.split()[1:3])
        assert inputs > 100, row
        assert edges > 10, row


def test_a_fault_is_found_and_told_with_the_command_that_shows_it_again(tmp_path: Path) -> None:
    result = fuzz("--target", PLANTED, "--minutes", "1", "--seed", "1", folder=tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "ValueError: a planted fault" in result.stdout
    (finding,) = (tmp_path / "findings").iterdir()
    assert finding.read_bytes().startswith(b"http:")
    assert f"-m fuzz.one_target {PLANTED} {finding}" in result.stdout


@pytest.mark.parametrize("options", [["--minutes", "0"], ["--target", "unknown"], ["--jobs", "0"]])
def test_a_wrong_option_is_refused(options: list[str], tmp_path: Path) -> None:
    result = fuzz(*options, folder=tmp_path)
    assert result.returncode == 2
    assert options[0] in result.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_takes_what_its_corpus_holds(name: str) -> None:
    inputs = sorted((CORPUS / name).iterdir())
    assert len(inputs) >= 5
    for path in inputs:
        TARGETS[name].check(path.read_bytes())
