"""Child processes that end with their parent, each with its own process group and log file."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

_TETHER = Path(__file__).with_name("tether.py")
_POLL_SECONDS = 0.05
_KILL_SECONDS = 10.0


class ProcessEndedError(Exception):
    """A process ended or was not ready in time. The message holds the end of its output."""


class ChildProcess:
    """A running command. As a context manager it stops at the end of the block.

    It has its own process group: Ctrl-C in the terminal reaches only the parent. It dies with the
    parent thread that started it, so start it from the main thread.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start ``command`` in ``folder`` and append its output to the file ``log``."""
        self.command = list(command)
        self.log = log
        self._group_is_gone = False
        tethered = [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *command]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                tethered,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.poll()

    def tail(self, lines: int = 20) -> str:
        """The last ``lines`` lines of its output."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def send(self, signal_number: signal.Signals) -> None:
        """Signal the whole process group, unless it has ended."""
        if not self._group_is_gone:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal_number)

    def wait(self, timeout: float) -> int:
        """Its exit code. Raises ``ProcessEndedError`` if it still runs after ``timeout`` s."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessEndedError(
                f"{self.command[0]} still runs after {timeout:g} s; the end of its output:\n"
                f"{self.tail()}"
            ) from None

    def stop(self, timeout: float = 30.0) -> int:
        """SIGTERM, then SIGKILL after ``timeout`` seconds. Returns the exit code."""
        if self.exit_code is None:
            # Only the leader, which stops its own children in order.
            self._process.terminate()
            with suppress(ProcessEndedError):
                self.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL to the rest of the process group. Returns the exit code."""
        self.send(signal.SIGKILL)
        exit_code = self.wait(_KILL_SECONDS)
        # From here on another process may have the id.
        self._group_is_gone = True
        return exit_code

    def wait_until(self, condition: Callable[[], bool], *, timeout: float, what: str) -> None:
        """Wait until ``condition()``, which ``what`` names, for at most ``timeout`` seconds.

        Raises ``ProcessEndedError`` if the process ends first, or the time is over.
        """

        def met() -> bool:
            if self.exit_code is not None:
                raise ProcessEndedError(
                    f"{self.command[0]} ended with exit code {self.exit_code} before {what}; "
                    f"the end of its output ({self.log}):\n{self.tail()}"
                )
            return condition()

        try:
            wait_until(met, timeout=timeout, what=what)
        except TimeoutError as error:
            raise ProcessEndedError(
                f"{error}; the end of the output of {self.command[0]} ({self.log}):\n{self.tail()}"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop it in order, or at once if the block raised."""
        if kind is None:
            self.stop()
        else:
            self.kill()


def wait_until(condition: Callable[[], bool], *, timeout: float, what: str) -> None:
    """Poll ``condition`` until it is true. Raises ``TimeoutError`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(_POLL_SECONDS)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of ``host`` that is free now; another process may still take it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
