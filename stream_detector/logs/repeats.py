"""A handler that limits how often one kind of line is written, and counts the rest."""

import itertools
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from stream_detector.logs.record_fields import fields_of, message_of

LINES_MAX = 10
"""Lines of one kind in a window: enough to see different causes of one message."""
WINDOW_SECONDS = 60.0

_KINDS_MAX = 1000
_DIGITS = re.compile(r"\d+")

_Kind = tuple[str, int, str]
"""Logger, level, and template; digits count as alike, since libraries put numbers into theirs."""


@dataclass
class _Window:
    opened: float
    lines: int = 0
    last: logging.LogRecord | None = None
    """The last record that was held back, if any was."""


def call_later(seconds: float, callback: Callable[[], None]) -> None:
    """Call ``callback`` after ``seconds``, in a daemon thread."""
    timer = threading.Timer(seconds, callback)
    timer.daemon = True
    timer.start()


class RepeatsHeldBack(logging.StreamHandler[TextIO]):
    """Writes at most ``LINES_MAX`` lines of one kind in ``WINDOW_SECONDS``.

    At the end of the window, or when the handler closes, one line gives the number of lines held
    back and the last of them with its fields. Critical lines, which say why the process ends, are
    never held back. ``clock`` gives monotonic seconds; ``call_later`` may call from any thread.
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
        self._summarize_due()
        if record.levelno >= logging.CRITICAL or self._has_room_for(record):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say which line failed; Python's own trace would show its values unredacted."""
        kind = getattr(sys.exc_info()[0], "__name__", "error")
        template = "a line of %s:%d could not be written: %s"
        failure = _instead_of(record, template, record.filename, record.lineno, kind)
        with suppress(Exception):  # The stream may be closed: then nothing can be written.
            self.stream.write(self.format(failure) + self.terminator)
            self.flush()

    def close(self) -> None:
        """Write how many lines are still held back, and close."""
        with self.lock:  # type: ignore[union-attr]
            self._summarize(list(self._windows))
        super().close()

    def _has_room_for(self, record: logging.LogRecord) -> bool:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        kind = (record.name, record.levelno, _DIGITS.sub("0", template))
        window = self._windows.get(kind)
        if window is None:
            if len(self._windows) >= _KINDS_MAX:
                self._summarize([next(iter(self._windows))])
            window = self._windows[kind] = _Window(self._clock())
        window.lines += 1
        if window.lines <= LINES_MAX:
            return True
        window.last = record
        if not self._is_waiting:
            self._is_waiting = True
            self._call_later(WINDOW_SECONDS, self._when_due)
        return False

    def _when_due(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            self._is_waiting = False
            self._summarize_due()
            if any(window.last for window in self._windows.values()):
                self._is_waiting = True
                self._call_later(WINDOW_SECONDS, self._when_due)

    def _summarize_due(self) -> None:
        is_over = self._clock() - WINDOW_SECONDS
        # The windows are in order of opening, so that the first open one ends the search.
        due = itertools.takewhile(lambda item: item[1].opened <= is_over, self._windows.items())
        self._summarize([kind for kind, _ in due])

    def _summarize(self, kinds: Iterable[_Kind]) -> None:
        """Remove the windows of ``kinds``, and write a line for each that held lines back."""
        for kind in kinds:
            window = self._windows.pop(kind)
            if window.last is None:
                continue
            held_back = window.lines - LINES_MAX
            text = message_of(window.last)
            template = "held back %d more like this in %.0f s: %s"
            summary = _instead_of(window.last, template, held_back, WINDOW_SECONDS, text)
            vars(summary).update(fields_of(window.last), held_back=held_back)
            super().emit(summary)


def _instead_of(record: logging.LogRecord, template: str, *values: object) -> logging.LogRecord:
    place = (record.pathname, record.lineno)
    return logging.LogRecord(record.name, record.levelno, *place, template, values, None)
