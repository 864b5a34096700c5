"""A script that runs a command which dies with its parent, however the parent ends.

``python tether.py PARENT_PID COMMAND...`` asks the kernel to kill this process when its parent
thread ends (``PR_SET_PDEATHSIG``, prctl(2), kept across execve), then becomes COMMAND. It is a
process of its own, because code between fork and exec may deadlock if the parent has threads. Only
Linux has the call; elsewhere COMMAND just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # A parent that ended before the call above sends no signal any more.
        if os.getppid() != int(sys.argv[1]):
            sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - that is what it is for
