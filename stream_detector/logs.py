"""One line per event on stderr: for people on a terminal, as JSON lines otherwise.

What the client libraries repeat while Kafka is away is collapsed: of the same message one line
goes out per ten seconds, with the count of those held back. What native libraries write past
Python's logging is held back with ``native_output_held_back``.
"""

import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from stream_detector.errors import StreamDetectorError

__all__ = [
    "CollapseRepeats",
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
_REPEAT_SECONDS = 10.0
_REMEMBERED_MESSAGES_MAX = 1000

_DIGITS = re.compile(r"\d+")
_STANDARD_FIELDS = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime", "repeats"}
)


def configure_logging(level: str, *, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (stderr), replacing what was set up before.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``; with ``debug`` the client libraries
            speak from ``info`` on.
        stream: where to write.
    """
    stream = stream or stderr_of_its_own()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalFormatter() if stream.isatty() else JsonFormatter())
    handler.addFilter(RetriedAsWarnings())
    handler.addFilter(CollapseRepeats(time.monotonic))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    libraries = logging.INFO if level == "debug" else max(logging.WARNING, root.level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(libraries)
    logging.captureWarnings(capture=True)


def stderr_of_its_own() -> TextIO:
    """Stderr by a descriptor of its own, which ``native_output_held_back`` leaves alone."""
    return open(os.dup(_STDERR), "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123


@contextmanager
def native_output_held_back() -> Iterator[None]:
    """Keep what is written to stderr to itself, unless the block fails; logging goes on.

    For the block that loads TensorFlow, which announces there, before any setting of its own can
    keep it from it, that this machine has no GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(_STDERR)
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        except (StreamDetectorError, KeyboardInterrupt):
            raise  # Nothing unforeseen.
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)


class CollapseRepeats(logging.Filter):
    """Lets a library's message pass once per ten seconds, whatever numbers it holds.

    The next line that passes has the count of those held back in ``record.repeats``. Messages
    of the project itself always pass: each of them is an event.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record goes out."""
        if record.name.partition(".")[0] not in _CHATTY:
            return True
        # Correlation ids, ports and durations differ between repeats of one message.
        key = (record.name, record.levelno, _DIGITS.sub("0", record.getMessage()))
        now = self._clock()
        last, held = self._seen.get(key, (-_REPEAT_SECONDS, 0))
        if now - last < _REPEAT_SECONDS:
            self._seen[key] = (last, held + 1)
            return False
        self._seen.pop(key, None)
        while len(self._seen) >= _REMEMBERED_MESSAGES_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (now, 0)
        record.repeats = held
        return True


class RetriedAsWarnings(logging.Filter):
    """Makes a warning of what a library logs as an error and tries again by itself.

    A new cluster has no group coordinator until it has made its offsets topic: nothing is wrong.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """True: every record goes out."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        if (
            record.levelno == logging.ERROR
            and record.name.partition(".")[0] in _CHATTY
            and any(getattr(argument, "retriable", False) for argument in arguments)
        ):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class JsonFormatter(logging.Formatter):
    """``time`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if repeats := getattr(record, "repeats", 0):
            line["repeats"] = repeats
        line.update((k, v) for k, v in vars(record).items() if k not in _STANDARD_FIELDS)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TerminalFormatter(logging.Formatter):
    """Local time, level, message and fields, for a person."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and the trace below it if there is one."""
        clock = _time(record).astimezone().strftime("%H:%M:%S")
        parts = [f"{clock} {record.levelname.lower():<7} {_one_line(record.getMessage())}"]
        fields = {k: v for k, v in vars(record).items() if k not in _STANDARD_FIELDS}
        parts += [f"{key}={value}" for key, value in fields.items()]
        if repeats := getattr(record, "repeats", 0):
            parts.append(f"({repeats} more like this since)")
        line = " ".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _one_line(message: str) -> str:
    return " ".join(message.splitlines())
