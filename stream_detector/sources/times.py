"""Event times of logs: epoch numbers and RFC 3339 texts, as UTC."""

from datetime import UTC, datetime

__all__ = ["to_time"]

_EARLIEST = 631_152_000.0
"""1990: no log of URLs is older."""
_LATEST = 4_102_444_800.0
"""2100: what is later is no time in seconds."""


def to_time(value: float | str | None) -> datetime | None:
    """Seconds or milliseconds since the epoch, or an RFC 3339 text; None where it is neither.

    A text without an offset is taken as UTC.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _from_text(value)
    seconds = value / 1000 if abs(value) > 10 * _LATEST else value
    if not _EARLIEST <= seconds <= _LATEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _from_text(text: str) -> datetime | None:
    try:
        return to_time(float(text))
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
