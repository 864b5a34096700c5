"""Event times of logs, epoch numbers and texts, as UTC.

A text without a year, or with a zone that is not known, is no time: a guess would be wrong by
hours. Only ISO 8601 texts may lack a zone, which then is UTC; a format whose documentation says
that its times are local must not give such a text to ``to_time``.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_EARLIEST = 631_152_000.0
"""1990: no log of URLs is older."""
_LATEST = 4_102_444_800.0
"""2100: a larger number is a time in a smaller unit, or no time."""
_UNITS = (1, 1e3, 1e6, 1e9)
"""A second in seconds, milliseconds, microseconds and nanoseconds: the ranges do not overlap."""

_from_seconds = datetime.fromtimestamp

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLF = re.compile(r"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9:]{8}(?:\.[0-9]{1,6})?) (\S{3,6})")
"""``02/Jan/2026:03:04:05 +0000``, of web servers."""
_WITH_MONTH = re.compile(
    r"(?:[A-Z][a-z]{2},? )?(?:([A-Za-z]{3}) +([0-9]{1,2})|([0-9]{1,2})[ -]([A-Za-z]{3})),?"
    r"(?:[ -]([0-9]{4}))? ([0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,6})?)"
    r"(?:[ ]([0-9]{4}))?(?: ([A-Z]{1,4}(?:[+-][0-9:]{4,6})?|[+-][0-9:]{4,6}))?"
    r"(?:[ ]([0-9]{4}))?"
)
"""``Jan 02 2026 03:04:05 UTC``, ``Fri Jan 2 03:04:05 UTC 2026``, ``02 Jan 2026 03:04:05 +0100``."""
_WITH_DIGITS = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?)"
    r" ?([A-Z]{1,4}(?:[+-][0-9:]{4,6})?|[+-][0-9:]{4,6})"
)
"""A date of digits with its zone after a space, or with slashes, which ISO 8601 does not have."""
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2}):?([0-9]{2})")


def to_time(value: float | str | None) -> datetime | None:
    """The time that ``value`` says; None for anything else.

    Args:
        value: seconds, milliseconds, microseconds or nanoseconds since the epoch; or a text of
            RFC 3339 (UTC without an offset), of the Common Log Format, or with the month's name.
    """
    if isinstance(value, str):
        return _from_text(value) if value else None
    if value is None:
        return None
    for unit in _UNITS:
        seconds = value / unit
        if seconds < _EARLIEST:
            return None
        if seconds <= _LATEST:
            return _from_seconds(seconds, UTC)
    return None


@lru_cache(1024)
def zone_of(text: str) -> tzinfo | None:
    """The zone of an offset, ``UTC`` or ``GMT``; None for other names, which are ambiguous."""
    if text in {"UTC", "GMT", "Z", "utc", "gmt"}:
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    if int(hours) > 15 or int(minutes) > 59:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def _from_text(text: str) -> datetime | None:
    if text[2:3] == "/" and (match := _CLF.fullmatch(text)) is not None:
        day, month, year, clock, zone = match.groups()
        return _of_parts(year, month, day, clock, zone)
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
        return _from_other_text(text)


def _from_other_text(text: str) -> datetime | None:
    if (match := _WITH_DIGITS.fullmatch(text)) is not None:
        year, month, day, clock, zone = match.groups()
        return _of_parts(year, month, day, clock, zone)
    if (match := _WITH_MONTH.fullmatch(text)) is not None:
        month, day, day_first, month_second, year, clock, early, zone, late = match.groups()
        year = year or early or late
        if year and zone:
            return _of_parts(year, month or month_second, day or day_first, clock, zone)
    return None


def _of_parts(year: str, month: str, day: str, clock: str, zone: str) -> datetime | None:
    offset = zone_of(zone)
    number = int(month) if month.isdigit() else _MONTHS.get(month.lower())
    if offset is None or number is None:
        return None
    fraction = clock[9:15]
    try:
        time = datetime(
            int(year),
            number,
            int(day),
            int(clock[0:2]),
            int(clock[3:5]),
            int(clock[6:8]),
            int(fraction.ljust(6, "0")) if fraction else 0,
            offset,
        )
        return time if offset is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
