"""Reads, filters and counts dead letters from their topic.

``wire.outcomes`` writes them, but so may any program: nothing here trusts a record.
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

import msgspec

from stream_detector.events import SourcePosition
from stream_detector.wire.outcomes import KEY_CUT_FROM, REPLAY_OF, VALUE_CUT_FROM

_NUMBER = re.compile(r"\d[\d,.]*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_DETAIL_CHARACTERS_MAX = 120
_GROUPS_MAX = 500
"""Groups that are counted apart: a flood of details must not fill memory or terminal."""
_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999. Whoever writes a record sets its time."""
_OTHER_DETAILS = "(other details)"


class LetterRecord(Protocol):
    """A record of the topic; kafka-python's ``ConsumerRecord`` fits."""

    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class StoredLetter(msgspec.Struct, frozen=True):
    """A dead letter and its position. Fields without a header are empty or None."""

    partition: int
    """Of the dead letter in its own topic, like ``offset``."""
    offset: int
    time: datetime
    """When the record became a dead letter."""
    reason: str
    detail: str
    format: str
    source: SourcePosition | None
    """Where the record was read; None without these headers."""
    source_timestamp: int | None
    """The record's own time, milliseconds since the epoch."""
    detector_version: str
    withheld: tuple[str, ...]
    """Masked parts of key and value."""
    is_cut: bool
    """Whether key or value are cut: they exceed a dead letter's or its topic's limit."""
    replay_of: str
    """``topic:partition:offset`` of the dead letter that the record replayed."""
    key: bytes | None
    value: bytes | None

    @property
    def is_as_read(self) -> bool:
        """Whether key and value are the original ones."""
        return not self.withheld and not self.is_cut


def read_letter(record: LetterRecord) -> StoredLetter:
    """The dead letter that a record of the topic is; never raises."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    partition, offset, index = (
        _number(headers.get(f"source-{name}")) for name in ("partition", "offset", "index")
    )
    topic = headers.get("source-topic")
    source = None
    if topic and partition is not None and offset is not None:
        source = SourcePosition(topic, partition, offset, index or 0)
    return StoredLetter(
        partition=record.partition,
        offset=record.offset,
        time=time_of(record.timestamp),
        reason=headers.get("reason", ""),
        detail=headers.get("detail", ""),
        format=headers.get("format", ""),
        source=source,
        source_timestamp=_number(headers.get("source-timestamp")),
        detector_version=headers.get("detector-version", ""),
        withheld=tuple(filter(None, headers.get("withheld", "").split(","))),
        is_cut=VALUE_CUT_FROM in headers or KEY_CUT_FROM in headers,
        replay_of=headers.get(REPLAY_OF, ""),
        key=record.key,
        value=record.value,
    )


def time_of(timestamp: int) -> datetime:
    """Milliseconds since the epoch as a time, limited to the years 1970 to 9999."""
    return datetime.fromtimestamp(min(max(timestamp, 0), _LAST_MS) / 1000, UTC)


def _number(text: str | None) -> int | None:
    # No offset or time has more digits; Python would take any number of them.
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else None


class LetterFilter(NamedTuple):
    """Selects dead letters; an empty field admits all."""

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    """Full names of source topics."""
    partitions: Collection[int] = ()
    """Of the source topics."""

    def admits(self, letter: StoredLetter) -> bool:
        """Whether the filter selects ``letter``."""
        source = letter.source
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or (source is not None and source.topic in self.topics))
            and (
                not self.partitions or (source is not None and source.partition in self.partitions)
            )
        )


class Group(msgspec.Struct):
    """Dead letters with these fields in common; as JSON, in this order."""

    reason: str
    source_topic: str
    format: str
    detail: str
    """With ``N`` for numbers and ``'...'`` for quoted texts."""
    letters: int
    first: datetime
    last: datetime
    not_as_read: int
    """How many of these are masked or cut."""
    replays: int
    """How many of these became dead letters again after a replay."""


class Tally:
    """Counts dead letters by reason, source topic, format and kind of detail."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, ...], Group] = {}

    def add(self, letter: StoredLetter) -> None:
        """Count one."""
        topic = letter.source.topic if letter.source is not None else ""
        names = (letter.reason, topic, letter.format, _kind_of(letter.detail))
        if names not in self._groups and len(self._groups) >= _GROUPS_MAX:
            names = (*names[:3], _OTHER_DETAILS)
        group = self._groups.get(names)
        if group is None:
            group = Group(*names, 0, letter.time, letter.time, 0, 0)
            self._groups[names] = group
        group.letters += 1
        group.first = min(group.first, letter.time)
        group.last = max(group.last, letter.time)
        group.not_as_read += not letter.is_as_read
        group.replays += bool(letter.replay_of)

    def groups(self) -> list[Group]:
        """The largest first, equal ones by their names."""
        by_name = sorted(self._groups.items(), key=itemgetter(0))
        return [group for _, group in sorted(by_name, key=lambda item: -item[1].letters)]


def _kind_of(detail: str) -> str:
    """``detail`` without its numbers and quoted texts."""
    return _NUMBER.sub("N", _QUOTED.sub("'...'", detail))[:_DETAIL_CHARACTERS_MAX]


def letter_document(letter: StoredLetter) -> dict[str, Any]:
    """``letter`` as a JSON object.

    ``key`` and ``value`` are text; where they are not UTF-8, ``key_base64`` and ``value_base64``.
    """
    document: dict[str, Any] = msgspec.to_builtins(letter)
    for name, part in (("key", letter.key), ("value", letter.value)):
        in_base64 = document.pop(name)
        text = _text(part)
        document[name] = text
        document[f"{name}_base64"] = in_base64 if text is None else None
    return document


def _text(part: bytes | None) -> str | None:
    try:
        return None if part is None else part.decode()
    except UnicodeDecodeError:
        return None
