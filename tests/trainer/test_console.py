"""The command line that manifests and reports quote, and figures in a pipe."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import ROOT
from trainer.console import command_line


@pytest.mark.parametrize(
    ("given", "quoted"),
    [
        ("bundles/url", "bundles/url"),
        ("../other/models/url", "../other/models/url"),
        ("{cwd}/data/urls.csv", "data/urls.csv"),
        ("--output={cwd}/out/url", "--output=out/url"),
        ("{home}/corpus/urls.csv", "~/corpus/urls.csv"),
        ("/srv/models/url", "/srv/models/url"),
        ("a file.csv", "'a file.csv'"),
        ("s3://key:secret@store/models", "s3://store/models"),
        ("generated_*", "'generated_*'"),
    ],
)
def test_it_can_be_repeated_and_shows_no_home_and_no_secret(tmp_path, monkeypatch, given, quoted):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    word = given.format(cwd=Path.cwd(), home=tmp_path / "home")
    monkeypatch.setattr(sys, "argv", ["stream-trainer", "evaluate", word])
    assert command_line() == f"stream-trainer evaluate {quoted}"
    assert len(shlex.split(command_line())) == 3


def test_two_bundles_of_one_name_stay_two(monkeypatch):
    words = ["evaluate", "bundles/url", "../repo/data/models/url", "--data", "../tiny.csv"]
    monkeypatch.setattr(sys, "argv", ["stream-trainer", *words])
    assert command_line() == f"stream-trainer {' '.join(words)}"


def test_names_with_brackets_are_shown_as_they_are():
    code = "from trainer.console import tell; tell('reading a[/b].csv and url[v2].csv')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr == "reading a[/b].csv and url[v2].csv\n"
