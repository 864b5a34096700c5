"""Runs commands within one deadline, and logs their output."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_SHOWN_LINES = 30


class StepFailedError(Exception):
    """A command or a check of a service failed; the message says how."""


class Commands:
    """Runs commands until ``seconds`` after it was made; later ones fail at once.

    Args:
        log: file that keeps what commands print.
        seconds: of all commands together.
        environment: of every command.
    """

    def __init__(self, log: Path, seconds: float, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._log = log
        self._began = time.monotonic()
        self._ends = self._began + seconds
        log.write_text("", encoding="utf-8")

    def tell(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        sys.stdout.write(f"{time.monotonic() - self._began:5.0f} s  {text}\n")
        sys.stdout.flush()

    def extend(self, seconds: float) -> None:
        """Extend the deadline by ``seconds``, so that the services can be taken down."""
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left."""
        return max(self._ends - time.monotonic(), 0.1)

    def output(self, *words: str | Path, stdin: int | None = subprocess.DEVNULL) -> str:
        """What a command prints on its standard output.

        Raises:
            StepFailedError: it exits with another code than 0, or time is up; with the end of what
                it printed.
        """
        shown = " ".join(map(str, words))[:200]
        process = self.start(*words, stdin=stdin)
        try:
            printed, errors = process.communicate(timeout=self.remaining())
        except BaseException as error:
            process.terminate()
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise StepFailedError(f"time is up in: {shown}") from None
            raise
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"$ {shown}\n{printed}{errors}")
        if process.returncode != 0:
            last = "\n".join(f"{printed}{errors}".splitlines()[-_SHOWN_LINES:])
            raise StepFailedError(f"ended with {process.returncode}: {shown}\n{last}")
        return printed

    def start(
        self, *words: str | Path, stdin: int | None = subprocess.DEVNULL, session: bool = False
    ) -> subprocess.Popen[str]:
        """A command that goes on; with a ``session`` of its own no Ctrl-C reaches it."""
        return subprocess.Popen(
            [str(word) for word in words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self.environment,
            start_new_session=session,
        )

    def succeeds(self, *words: str | Path) -> bool:
        """Whether a command exits with 0."""
        try:
            self.output(*words)
        except (StepFailedError, FileNotFoundError):
            return False
        return True
