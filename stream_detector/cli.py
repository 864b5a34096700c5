"""``stream-detector``: runs the command line and ends the process.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 130 after Ctrl-C. An error is one line on
stderr. When the reader closes the pipe (``| head``), the program exits with 1 and prints nothing.
A worker (``run``) that SIGTERM or Ctrl-C stops ends with 0, from its first moment on.
"""

import os
import signal
import sys
from typing import NoReturn

_INTERRUPTED = 130
_STOPPED = 0


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        if sys.argv[1:2] == ["run"]:
            _stop_at_once()
        _replace_closed_streams()
        # Imported here, so that Ctrl-C while Python is still reading modules is caught as well.
        from stream_detector.commands.command_line import run_command_line  # noqa: PLC0415
        from stream_detector.commands.group import PROGRAM, group  # noqa: PLC0415

        code = run_command_line(group, PROGRAM)
    except KeyboardInterrupt:
        # At once: no thread of a library that still waits for Kafka may keep a person waiting.
        os._exit(_INTERRUPTED)
    sys.exit(code)


def _stop_at_once() -> None:
    """Until ``process`` has handlers of its own: nothing has begun that would have to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(_STOPPED))


def _replace_closed_streams() -> None:
    """Put the null device where the caller has closed stdin, stdout or stderr (``>&-``)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
