"""A command on a terminal of its own, as a person sees it and types to it."""

import contextlib
import os
import pty
import subprocess
from pathlib import Path
from typing import Self

from support.commands import environment_of

__all__ = ["OnTerminal"]


class OnTerminal:
    """A process whose three streams are a terminal. A context manager, killed at its end."""

    def __init__(self, *command: str, folder: Path, columns: int = 120) -> None:
        self._leader, terminal = pty.openpty()
        self._shown = b""
        self._process = subprocess.Popen(
            # Ctrl-C reaches those whose controlling terminal it is.
            ["setsid", "--ctty", "--wait", *command],
            cwd=folder,
            env={**environment_of(), "TERM": "xterm", "COLUMNS": str(columns)},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)

    def read_until(self, text: str) -> None:
        """Wait until ``text`` was shown; fails if the process ends before."""
        while text.encode() not in self._shown:
            assert self._read(), self._shown.decode(errors="replace")

    def read_to_end(self) -> str:
        """Everything that was shown, once the process has ended."""
        while self._read():
            pass
        return self._shown.decode(errors="replace")

    def press(self, keys: str) -> None:
        """Type ``keys``."""
        os.write(self._leader, keys.encode())

    def exit_code(self) -> int:
        """The exit code of the process, which ends soon."""
        return self._process.wait(60)

    def _read(self) -> bool:
        read = b""
        with contextlib.suppress(OSError):  # Nobody has the terminal open any more.
            read = os.read(self._leader, 4096)
        self._shown += read
        return bool(read)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._leader)
