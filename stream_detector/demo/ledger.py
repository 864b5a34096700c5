"""Inputs and outputs of the demo: is every record accounted for?"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

_HIGHLIGHTS = 2000
_Position = tuple[int, int]
"""Partition and offset in the input topic."""


class Sent(NamedTuple):
    """A record that Kafka has."""

    partition: int
    offset: int
    line: int
    """Index into the replayed lines."""
    time: float
    """When it was written, seconds since the epoch."""


class Source(msgspec.Struct):
    """The place of a record, and the index of an event in it."""

    partition: int
    offset: int
    index: int


class Model(msgspec.Struct):
    """The model that decided."""

    version: str
    sha256: str


class SeenVerdict(msgspec.Struct):
    """The part of a verdict that the demo shows. Schema: ``data/schemas/url-verdict.json``."""

    id: str
    canonical: str
    kind: str
    score: float | None
    verdict: str
    client: str | None
    source: Source
    model: Model | None = None


class Expected(NamedTuple):
    """The outputs that one line needs."""

    events: frozenset[int]
    """Indexes of its URLs and hosts: a verdict each."""
    at_fault: bool
    """Whether it is malformed: a dead letter."""


class Ledger:
    """Counts by record and outcome. Only one thread may call it.

    A record is accounted for when each URL or host in it has its verdict, or the record is in the
    dead-letter topic. A line without any (a header, an answer) needs no output.
    """

    def __init__(self, expected: Sequence[Expected]) -> None:
        """``expected`` are the outputs of each line that is to be sent."""
        self._expected = expected
        self._open: dict[_Position, Sent] = {}
        self._verdicts: dict[_Position, dict[int, float]] = {}
        self._dead: dict[_Position, float] = {}
        self.sent_count = 0
        """Records that Kafka has."""
        self.verdicts: Counter[str] = Counter()
        """Verdicts by class, without repetitions."""
        self.dead_letters: Counter[str] = Counter()
        """Dead letters by reason."""
        self.silent = 0
        """Records that name no URL by their nature."""
        self.repeated = 0
        """Outputs that came more than once, as at-least-once delivery allows."""
        self.latencies: list[float] = []
        """Seconds from writing a record until its last output was seen."""
        self.highlights: deque[SeenVerdict] = deque(maxlen=_HIGHLIGHTS)
        """The newest verdicts that are not benign, oldest first."""
        self.alerts: set[str] = set()
        """Ids of the verdicts that raised an alert."""

    @property
    def open_count(self) -> int:
        """Sent records that are not accounted for yet."""
        return len(self._open)

    def sent(self, record: Sent) -> None:
        """Note that a record is in the input topic."""
        self.sent_count += 1
        expected = self._expected[record.line]
        if not expected.events and not expected.at_fault:
            self.silent += 1
            return
        position = record.partition, record.offset
        self._open[position] = record
        # The verdict may have been seen before the producer heard of its record.
        self._settle(position)

    def verdict(self, verdict: SeenVerdict, seen: float) -> None:
        """Note a verdict that was seen at ``seen``, seconds since the epoch."""
        position = verdict.source.partition, verdict.source.offset
        of_record = self._verdicts.setdefault(position, {})
        if verdict.source.index in of_record:
            self.repeated += 1
            return
        of_record[verdict.source.index] = seen
        self.verdicts[verdict.verdict] += 1
        if verdict.verdict != "benign":
            self.highlights.append(verdict)
        self._settle(position)

    def dead_letter(self, partition: int, offset: int, reason: str, seen: float) -> None:
        """Note a dead letter that was seen at ``seen``, seconds since the epoch."""
        if (partition, offset) in self._dead:
            self.repeated += 1
            return
        self._dead[partition, offset] = seen
        self.dead_letters[reason] += 1
        self._settle((partition, offset))

    def latency(self, quantile: float) -> float:
        """Seconds within which the share ``quantile`` of records was seen; 0 without any."""
        ordered = sorted(self.latencies) or [0.0]
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]

    def _settle(self, position: _Position) -> None:
        """Close the record at ``position`` if all its outputs have come."""
        record = self._open.get(position)
        if record is None:
            return
        expected = self._expected[record.line]
        seen = dict(self._verdicts.get(position, {}))
        if position in self._dead:
            seen[-1] = self._dead[position]
        elif expected.at_fault or not seen.keys() >= expected.events:
            return
        del self._open[position]
        self.latencies.append(max(0.0, max(seen.values()) - record.time))
