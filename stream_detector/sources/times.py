"""Event times of logs, epoch numbers and RFC 3339 texts, as UTC."""

from datetime import UTC, datetime

_EARLIEST = 631_152_000.0
"""1990: no log of URLs is older."""
_LATEST = 4_102_444_800.0
"""2100: a larger number is a time in milliseconds, or no time."""

_from_seconds = datetime.fromtimestamp


def to_time(value: float | str | None) -> datetime | None:
    """Seconds or milliseconds since the epoch, or an RFC 3339 text; None for anything else.

    A text without an offset is taken as UTC.
    """
    if isinstance(value, str):
        return _from_text(value) if value else None
    if value is None:
        return None
    if _EARLIEST <= value <= _LATEST:
        return _from_seconds(value, UTC)
    if _EARLIEST <= value / 1000 <= _LATEST:
        return _from_seconds(value / 1000, UTC)
    return None


def _from_text(text: str) -> datetime | None:
    if text[4:5] != "-":  # no date: a number, or nothing that is known
        try:
            return to_time(float(text))
        except ValueError:
            pass
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is UTC:
            return time
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
