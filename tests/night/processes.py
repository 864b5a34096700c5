"""Workers and a trainer as a supervisor runs them: what ends is started again after a moment."""

import os
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.commands import environment_of
from support.processes import ChildProcess, free_port

__all__ = ["Supervised"]

_RESTART_SECONDS = 2.0
_ANSWER_SECONDS = 1.0


class Supervised:
    """One process of the project, at the same port over all of its starts.

    All calls come from one thread: a process dies with the thread that started it.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        folder: Path,
    ) -> None:
        """Nothing is started yet; ``settings`` by names without prefix."""
        self.name = name
        self.port = free_port()
        self.scheme = "http"
        self.before: Sequence[str] = ()
        """A command that the next starts go through, such as a shell with little disk."""
        self._command = [sys.executable, "-u", "-m", module, *arguments]
        self._environment = environment_of({**settings, "HTTP_PORT": str(self.port)})
        self._folder = folder
        self._process: ChildProcess | None = None
        self._is_wanted = False
        self._ended_at = 0.0
        self.starts = 0

    @property
    def log(self) -> Path:
        """Its output, of all starts."""
        return self._folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it; from now on it is started again where it ends."""
        self._is_wanted = True
        self.starts += 1
        self._process = ChildProcess(
            [*self.before, *self._command],
            log=self.log,
            environment=self._environment,
            folder=self._folder,
        )

    def tick(self) -> None:
        """Start it again, if it ended two seconds ago."""
        if not self._is_wanted or self._process is None or self._process.exit_code is None:
            self._ended_at = 0.0
        elif not self._ended_at:
            self._ended_at = time.monotonic()
        elif time.monotonic() - self._ended_at > _RESTART_SECONDS:
            self.start()

    def terminate(self) -> None:
        """SIGTERM, as an orchestrator stops it; it stays away."""
        self._is_wanted = False
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)

    @property
    def has_ended(self) -> bool:
        """Is there no process?"""
        return self._process is None or self._process.exit_code is not None

    def kill(self) -> None:
        """SIGKILL; it stays away."""
        self._is_wanted = False
        if self._process is not None:
            self._process.kill()

    def freeze(self) -> None:
        """SIGSTOP."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send(signal.SIGCONT)

    def is_ready(self) -> bool:
        """Does it answer that it is ready?"""
        try:
            url = f"{self.scheme}://127.0.0.1:{self.port}/readyz"
            context = ssl._create_unverified_context()
            with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS, context=context) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False
