"""What a record of Python's logging says: its message, and the fields of its ``extra``."""

import logging
from typing import Any

__all__ = ["fields_of", "message_of"]

_STANDARD_FIELDS = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime"}
)


def message_of(record: logging.LogRecord) -> str:
    """The message; the template alone where arguments do not fit it."""
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of ``extra``, as they were given."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
