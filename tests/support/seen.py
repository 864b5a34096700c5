"""Commands whose stderr is a terminal, while their output goes elsewhere."""

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

__all__ = ["Seen", "run_seen"]


class Seen(NamedTuple):
    """What came of a command."""

    code: int
    output: bytes
    terminal: str
    """All that the terminal was sent, control sequences included."""


def run_seen(
    command: Sequence[str], *, environment: Mapping[str, str], timeout: float = 120
) -> Seen:
    """Run ``command`` to its end, with a terminal of 120 columns as its stderr."""
    leader, follower = pty.openpty()
    sent: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # What Linux says at the end.
            while part := os.read(leader, 65_536):
                sent.append(part)

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=follower,
            env={**environment, "TERM": "xterm", "COLUMNS": "120"},
            timeout=timeout,
            check=False,
        )
    finally:
        os.close(follower)
        reader.join(10)
        os.close(leader)
    return Seen(done.returncode, done.stdout, b"".join(sent).decode(errors="replace"))
