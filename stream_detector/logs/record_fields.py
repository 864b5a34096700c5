"""The message of a log record, and the fields of its ``extra``."""

import logging
from collections.abc import Callable
from typing import Any

_STANDARD_FIELDS = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime"}
)


def message_of(record: logging.LogRecord) -> str:
    """The message; only the template where its arguments do not fit."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - an argument may raise anything when it is formatted
        return text_of(record.msg)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of ``extra``, unchanged."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def text_of(value: object, write: Callable[[object], str] = str) -> str:
    """``value`` as text, or its type where ``write`` fails, as for an int of 5,000 digits."""
    try:
        return write(value)
    except Exception:  # noqa: BLE001 - a line without this value is better than none
        return f"<{type(value).__name__} without a text>"
