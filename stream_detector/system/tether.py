"""Run a command that dies with its parent, however the parent ends.

Used as a script, not imported: ``python tether.py PARENT_PID COMMAND...`` asks the kernel to
kill this process when its parent thread ends (``PR_SET_PDEATHSIG``, prctl(2), kept across
execve), then becomes COMMAND. A small process of its own, because code between fork and exec
in a parent with threads may deadlock. Only Linux has the call; elsewhere COMMAND just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Become ``command``, tethered to the process ``parent``; never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # A parent that ended before the call above sends no signal any more.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
