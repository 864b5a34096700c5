import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support.processes import (
    ROOT,
    ChildProcess,
    ProcessEndedError,
    start_module,
    wait_for_line,
    wait_until,
)


def test_a_process_dies_with_a_parent_that_is_killed(tmp_path):
    script = textwrap.dedent(
        """
        import signal, sys
        from pathlib import Path
        from support.processes import ChildProcess
        child = ChildProcess(["sleep", "600"], log=Path(sys.argv[1]))
        print(child.pid, flush=True)
        signal.pause()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "child.log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert is_running(child)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    wait_until(lambda: not is_running(child), timeout=30, what="the end of the child")


def test_a_process_that_ends_early_is_reported_with_its_output(tmp_path):
    process = start_module("json.tool", "no-such-file", log=tmp_path / "tool.log")
    with pytest.raises(ProcessEndedError, match="no-such-file"):
        wait_for_line(process, "never printed")


def test_stop_ends_the_children_of_a_process_too(tmp_path):
    log = tmp_path / "shell.log"
    process = ChildProcess(["sh", "-c", "sleep 600 & echo child $!; wait"], log=log)
    child = int(wait_for_line(process, "child ").split()[1])
    assert process.stop() == -signal.SIGTERM
    wait_until(lambda: not is_running(child), timeout=30, what="the end of the child")


def is_running(pid: int) -> bool:
    """Is there such a process, and is it more than a zombie that nobody has waited for?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
