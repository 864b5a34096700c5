"""What a storm shows while it blows: a live line on a terminal, else a line every few seconds."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

__all__ = ["Progress"]

_LINE_SECONDS = 5.0
_UPDATE_SECONDS = 0.25


class Progress:
    """Shows the state of things, and what was done since; a context manager."""

    def __init__(self, console: Console) -> None:
        """``console`` decides whether this is a terminal."""
        self._console = console
        self._status: Status | None = None
        self._next = 0.0
        self._done: list[str] = []

    def note(self, done: str) -> None:
        """Something was done, which the next line says."""
        if self._status is not None:
            self._print(f"{time.strftime('%H:%M:%S')}  {done}")
        else:
            self._done.append(done)

    def show(self, state: str) -> None:
        """The state of things now."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._status is not None:
            self._next = now + _UPDATE_SECONDS
            self._status.update(state)
        else:
            self._next = now + _LINE_SECONDS
            self._print("  |  ".join([state, *self._done]))
            self._done.clear()

    def stage(self, what: str) -> None:
        """Another stage begins."""
        self._next = 0.0
        self._print(what)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the live line away."""
        if self._status is not None:
            self._status.stop()
