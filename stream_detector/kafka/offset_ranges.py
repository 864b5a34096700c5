"""Stretches of a partition as a person types them: ``TOPIC:PARTITION:FIRST-LAST``."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from stream_detector.errors import SettingsError

_WRITTEN = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+):(?P<partition>[0-9]{1,9}):(?P<first>[0-9]{1,18})"
    r"(-(?P<last>[0-9]{1,18}))?"
)


class OffsetRange(NamedTuple):
    """Records of one partition, from an offset to another one, both included."""

    topic: str
    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.first}-{self.last}"

    @property
    def offsets(self) -> int:
        """The number of offsets."""
        return self.last - self.first + 1


def read_ranges(lines: Iterable[str], where: str) -> list[OffsetRange]:
    """One range per line, without empty lines and comments (#); an error names ``where``.

    Raises:
        SettingsError: a line is no range.
    """
    texts = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    return [
        _range(text, f"{where}, line {number}")
        for number, text in texts
        if text and not text.startswith("#")
    ]


def _range(text: str, where: str) -> OffsetRange:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise SettingsError(
            f"{where}: {text!r} is no range of offsets: write TOPIC:PARTITION:FIRST-LAST, such as "
            "url-events:3:1200-1249"
        )
    first = int(match["first"])
    last = first if match["last"] is None else int(match["last"])
    if last < first:
        raise SettingsError(f"{where}: {text!r} ends before it begins: write FIRST-LAST")
    return OffsetRange(match["topic"], int(match["partition"]), first, last)


def merged_ranges(ranges: Iterable[OffsetRange]) -> list[OffsetRange]:
    """The same offsets in order, each once."""
    merged: list[OffsetRange] = []
    for each in sorted(ranges):
        before = merged[-1] if merged else None
        if before and before[:2] == each[:2] and each.first <= before.last + 1:
            merged[-1] = before._replace(last=max(before.last, each.last))
        else:
            merged.append(each)
    return merged
