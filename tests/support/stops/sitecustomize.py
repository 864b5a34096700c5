"""Has a process of this project stop at a chosen call. Python imports this at its start.

``TRAINER_STOPS_AT`` is ``COMMAND MODULE ATTRIBUTE ACTION``: in a process of that command a call of
the attribute never returns; with the action ``kill`` the watch is killed at it (SIGKILL), which is
this process or its parent.
"""

import importlib
import os
import signal
import sys
import time


def _prepare(command: str, module: str, attribute: str, action: str) -> None:
    if command not in sys.orig_argv:
        return
    owner = importlib.import_module(module)
    *path, name = attribute.split(".")
    for step in path:
        owner = getattr(owner, step)

    def stopped(*_: object, **__: object) -> None:
        print(f"stopped at {attribute}", flush=True)
        if action == "kill":
            os.kill(os.getpid() if command == "watch" else os.getppid(), signal.SIGKILL)
        while True:
            time.sleep(60)

    setattr(owner, name, stopped)


if "TRAINER_STOPS_AT" in os.environ:
    _prepare(*os.environ["TRAINER_STOPS_AT"].split())
