"""A lock that another process sees, and that goes with its process."""

import os
import signal
import subprocess
import sys

import pytest

from support.processes import ROOT
from trainer.files import LockedError, exclusive

HOLDS = """
import sys, time
from pathlib import Path
from trainer.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_one_process_holds_it_until_it_ends_however_that_is(tmp_path):
    path = tmp_path / "deep" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "holds\n"
        with pytest.raises(LockedError), exclusive(path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait(30)
    # Not for another one in the same process either.
    with exclusive(path), pytest.raises(LockedError), exclusive(path):
        pass
    with exclusive(path):
        pass


def test_what_it_locks_is_its_owners_alone_whatever_the_umask(tmp_path):
    path = tmp_path / "retraining" / ".lock"
    mask = os.umask(0)
    try:
        with exclusive(path):
            pass
    finally:
        os.umask(mask)
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError), exclusive(tmp_path / "file" / "deep" / ".lock"):
        pass
