"""One line per event on stderr: for people on a terminal, as JSON lines otherwise.

No line holds a secret of the settings, a user name or password of a URL or, unless ``log_queries``
allows it, a query string (``redaction``). Repeated lines are counted (``repeats``), and lines of
Kafka's clients that a line of this project explains are dropped (``libraries``).
``system.native_output`` hides what native libraries write past Python's logging.
"""

import json
import logging
import os
import re
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from stream_detector.logs.libraries import LibrariesHeldBack
from stream_detector.logs.record_fields import fields_of, message_of, text_of
from stream_detector.logs.redaction import Redaction
from stream_detector.logs.repeats import RepeatsHeldBack
from stream_detector.settings.fields import Settings

_CHATTY = frozenset({"absl", "aiokafka", "asyncio", "faust", "kafka", "mode", "tensorflow"})
"""Libraries of which only warnings and errors help an operator."""

_STDERR = 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (default: stderr), in place of any earlier setup.

    ``log_level``, ``log_format`` and ``log_queries`` apply; with ``debug`` the client libraries log
    from ``info`` on. Uncaught errors become log lines too.
    """
    stream = stream or stderr_of_its_own()
    redaction = Redaction(settings)
    log_format = settings.log_format
    is_pretty = log_format == "pretty" or (log_format == "auto" and stream.isatty())
    handler = RepeatsHeldBack(stream, clock=time.monotonic)
    handler.setFormatter((TerminalFormatter if is_pretty else JsonFormatter)(redaction))
    handler.addFilter(RetriedAsWarnings())
    root = logging.getLogger()
    # With ``debug`` nothing is held back: somebody wants the libraries' lines.
    is_debug = settings.log_level == "debug"
    root.handlers[:] = [handler if is_debug else LibrariesHeldBack(handler, clock=time.monotonic)]
    root.setLevel(settings.log_level.upper())
    libraries = logging.INFO if is_debug else max(logging.WARNING, root.level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(libraries)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda thread: _log_uncaught(
        thread.exc_type, thread.exc_value or thread.exc_type(), thread.exc_traceback
    )
    sys.unraisablehook = _log_unraisable


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log an uncaught error: Python's trace on stderr would be neither one line nor redacted."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    elif not issubclass(kind, SystemExit):
        logging.getLogger(__name__).critical("unexpected error", exc_info=(kind, error, trace))


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Log an error that Python cannot raise to a caller, such as one in ``__del__``."""
    error = unraisable.exc_value or unraisable.exc_type()
    logging.getLogger(__name__).error(
        "%s: %s",
        unraisable.err_msg or "Exception ignored in",
        text_of(unraisable.object, repr),
        exc_info=(unraisable.exc_type, error, unraisable.exc_traceback),
    )


def stderr_of_its_own() -> TextIO:
    """Stderr by its own descriptor, which ``native_output_held_back`` does not redirect."""
    return open(os.dup(_STDERR), "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


class RetriedAsWarnings(logging.Filter):
    """Lowers a library's errors to warnings where the library retries by itself.

    A new cluster has no group coordinator until it has created its offsets topic. After a process
    slept, its threads report once that they are late. A missing broker is tried again.
    """

    _MESSAGES = ("Thread keepalive is not responding", "Unable connect to node")

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; only the level may change."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        if (
            record.levelno == logging.ERROR
            and record.name.partition(".")[0] in _CHATTY
            and (
                any(getattr(argument, "retriable", False) for argument in arguments)
                or any(message in str(record.msg) for message in self._MESSAGES)
            )
        ):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class _RedactingFormatter(logging.Formatter):
    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def _trace(self, record: logging.LogRecord) -> str:
        """The redacted trace of the error, and of the stack where the line asks for it."""
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        return self._redaction.text("\n".join(filter(None, (trace, stack))))


class JsonFormatter(_RedactingFormatter):
    """``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redaction.text(message_of(record)),
        }
        line = {**line, **self._redaction.fields(fields_of(record)), **line}
        if trace := self._trace(record):
            line["exception"] = trace
        # ASCII only: lone surrogates can't be written, and line separators would end the line.
        return json.dumps(line, allow_nan=False)


class TerminalFormatter(_RedactingFormatter):
    """Local time, level, message and fields, for a person, without colours."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, with its trace below."""
        clock = _time(record).astimezone().strftime("%H:%M:%S")
        message = " ".join(self._redaction.text(message_of(record)).splitlines())
        parts = [f"{clock} {record.levelname.lower():<8} {message}"]
        fields = self._redaction.fields(fields_of(record))
        parts += [f"{key}={_shown(value)}" for key, value in fields.items()]
        lines = [" ".join(parts), *self._trace(record).splitlines()]
        return "\n".join(map(_without_control, lines))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _without_control(text: str) -> str:
    """Escape control characters: they could move the cursor or end the line."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
