"""A handler that lets the same thing be said only so often, and then says how often it was."""

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, TextIO

from stream_detector.logs.record_fields import fields_of, message_of

__all__ = ["LINES_MAX", "WINDOW_SECONDS", "RepeatsHeldBack", "call_later"]

LINES_MAX = 10
"""Lines of one kind in a window: enough to see different causes told by one template."""
WINDOW_SECONDS = 60.0

_KINDS_MAX = 1000
_DIGITS = re.compile(r"\d+")

_Kind = tuple[str, int, str]
"""Logger, level, and template with digits made alike: libraries put numbers into theirs."""


class _Window:
    def __init__(self, opened: float) -> None:
        self.opened = opened
        self.lines = 0
        self.last: logging.LogRecord | None = None
        """The last record that was held back."""
        self.held_back = 0


class _Due(NamedTuple):
    kind: _Kind
    window: _Window


def call_later(seconds: float, callback: Callable[[], None]) -> None:
    """Call back after so many seconds, in a thread that keeps no process alive."""
    timer = threading.Timer(seconds, callback)
    timer.daemon = True
    timer.start()


class RepeatsHeldBack(logging.StreamHandler[TextIO]):
    """Writes at most ``LINES_MAX`` lines of one kind in ``WINDOW_SECONDS``.

    A kind is a logger, a level and a message's template. When the window is over one line says how
    many were held back and what the last of them was, with its fields; so it does when the handler
    is closed. Critical lines, which tell why the process ends, are never held back.

    Args:
        stream: where to write.
        clock: monotonic seconds.
        call_later: calls back after so many seconds, from any thread.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], None] = call_later,
    ) -> None:
        super().__init__(stream)
        self._clock = clock
        self._call_later = call_later
        self._windows: dict[_Kind, _Window] = {}
        self._is_waiting = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        self._tell(self._due())
        if record.levelno >= logging.CRITICAL or self._has_room_for(record):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Tell where a line could not be made; Python's own trace would show what it was to say."""
        told = logging.LogRecord(
            record.name,
            record.levelno,
            record.pathname,
            record.lineno,
            "a line of %s:%d could not be written: %s",
            (record.filename, record.lineno, getattr(sys.exc_info()[0], "__name__", "error")),
            None,
        )
        with suppress(Exception):  # Such as a stream that is closed: there is nowhere to tell.
            self.stream.write(self.format(told) + self.terminator)
            self.flush()

    def close(self) -> None:
        """Tell what is still held back."""
        with self._locked():
            self._tell([_Due(kind, window) for kind, window in self._windows.items()])
            self._windows.clear()
        super().close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _has_room_for(self, record: logging.LogRecord) -> bool:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        kind = (record.name, record.levelno, _DIGITS.sub("0", template))
        window = self._windows.get(kind)
        if window is None:
            if len(self._windows) >= _KINDS_MAX:
                oldest = next(iter(self._windows))
                self._tell([_Due(oldest, self._windows.pop(oldest))])
            window = self._windows[kind] = _Window(self._clock())
        if window.lines < LINES_MAX:
            window.lines += 1
            return True
        window.held_back += 1
        window.last = record
        if not self._is_waiting:
            self._is_waiting = True
            self._call_later(WINDOW_SECONDS, self._when_due)
        return False

    def _when_due(self) -> None:
        with self._locked():
            self._is_waiting = False
            self._tell(self._due())
            if any(window.held_back for window in self._windows.values()):
                self._is_waiting = True
                self._call_later(WINDOW_SECONDS, self._when_due)

    def _due(self) -> list[_Due]:
        """The windows that are over, taken out."""
        opened_before = self._clock() - WINDOW_SECONDS
        due = []
        # In order of opening: the first that is not over ends it.
        for kind, window in self._windows.items():
            if window.opened > opened_before:
                break
            due.append(_Due(kind, window))
        for kind, _ in due:
            del self._windows[kind]
        return due

    def _tell(self, due: list[_Due]) -> None:
        for (name, level, _), window in due:
            if window.last is None:
                continue
            summary = logging.LogRecord(
                name,
                level,
                window.last.pathname,
                window.last.lineno,
                "held back %d more like this in %.0f s: %s",
                (window.held_back, WINDOW_SECONDS, message_of(window.last)),
                None,
            )
            vars(summary).update(fields_of(window.last), held_back=window.held_back)
            super().emit(summary)
