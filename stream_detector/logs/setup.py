"""One line per event on stderr: for people on a terminal, as JSON lines otherwise.

No line holds a secret of the settings, a user name or password of a URL or, unless ``log_queries``
allows it, a query string. What is said again and again is held back and counted (``log_repeats``),
what Kafka's clients say of a fault that has a line of its own is left out (``log_libraries``).
What native libraries write past Python's logging is held back with ``native_output_held_back``.
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
from stream_detector.system.native_output import native_output_held_back

__all__ = [
    "JsonFormatter",
    "RetriedAsWarnings",
    "TerminalFormatter",
    "configure_logging",
    "native_output_held_back",
    "stderr_of_its_own",
]

_CHATTY = frozenset({"absl", "aiokafka", "asyncio", "faust", "kafka", "mode", "tensorflow"})
"""Libraries of which only warnings and errors are of use to who runs a worker."""

_STDERR = 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (stderr), replacing what was set up before.

    By ``log_level`` (with ``debug`` the client libraries speak from ``info`` on), ``log_format``
    and ``log_queries``. Errors that nothing catches become log lines too.
    """
    stream = stream or stderr_of_its_own()
    redaction = Redaction(settings)
    is_pretty = settings.log_format == "pretty" or (
        settings.log_format == "auto" and stream.isatty()
    )
    handler = RepeatsHeldBack(stream, clock=time.monotonic)
    handler.setFormatter(TerminalFormatter(redaction) if is_pretty else JsonFormatter(redaction))
    handler.addFilter(RetriedAsWarnings())
    root = logging.getLogger()
    # With ``debug`` nothing is held back: somebody looks for what the libraries say.
    is_debug = settings.log_level == "debug"
    root.handlers[:] = [handler if is_debug else LibrariesHeldBack(handler, clock=time.monotonic)]
    root.setLevel(settings.log_level.upper())
    libraries = logging.INFO if is_debug else max(logging.WARNING, root.level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(libraries)
    logging.captureWarnings(capture=True)
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda thread: _tell_uncaught(
        thread.exc_type, thread.exc_value or thread.exc_type(), thread.exc_traceback
    )
    sys.unraisablehook = _tell_unraisable


def _tell_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Log an error that nothing caught: a trace on stderr would be neither a line nor redacted."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    elif not issubclass(kind, SystemExit):
        logging.getLogger(__name__).critical("unexpected error", exc_info=(kind, error, trace))


def _tell_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Log an error that Python has nobody to raise it to, as where an object is cleared away."""
    error = unraisable.exc_value or unraisable.exc_type()
    logging.getLogger(__name__).error(
        "%s: %s",
        unraisable.err_msg or "Exception ignored in",
        text_of(unraisable.object, repr),
        exc_info=(unraisable.exc_type, error, unraisable.exc_traceback),
    )


def stderr_of_its_own() -> TextIO:
    """Stderr by a descriptor of its own, which ``native_output_held_back`` leaves alone."""
    return open(os.dup(_STDERR), "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


class RetriedAsWarnings(logging.Filter):
    """Makes a warning of what a library logs as an error and tries again by itself.

    A new cluster has no group coordinator until it has made its offsets topic: nothing is wrong.
    A process that slept finds its threads late once, and a broker that is away is tried again.
    """

    _MESSAGES = ("Thread keepalive is not responding", "Unable connect to node")

    def filter(self, record: logging.LogRecord) -> bool:
        """True: every record goes out."""
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


class JsonFormatter(logging.Formatter):
    """``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, and the fields of ``extra``."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redaction.text(message_of(record)),
        }
        line = {**line, **self._redaction.fields(fields_of(record)), **line}
        if trace := _trace(self, record):
            line["exception"] = self._redaction.text(trace)
        # As ASCII: lone surrogates and line separators could not be written, or would end a line.
        return json.dumps(line, allow_nan=False)


class TerminalFormatter(logging.Formatter):
    """Local time, level, message and fields, for a person; no colours, so none to turn off."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and the trace below it if there is one."""
        clock = _time(record).astimezone().strftime("%H:%M:%S")
        message = " ".join(self._redaction.text(message_of(record)).splitlines())
        parts = [f"{clock} {record.levelname.lower():<8} {message}"]
        fields = self._redaction.fields(fields_of(record))
        parts += [f"{key}={_shown(value)}" for key, value in fields.items()]
        line = _without_control(" ".join(parts))
        if trace := _trace(self, record):
            lines = self._redaction.text(trace).splitlines()
            line = "\n".join([line, *map(_without_control, lines)])
        return line


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _without_control(text: str) -> str:
    """Escape what could move a terminal's cursor, or end the line."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
