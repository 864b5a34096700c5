"""What went in and what came out: every record of the demo is accounted for, or it is not."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from stream_detector.demo.replay import Sent
from stream_detector.events import Rejected, UrlEvent
from stream_detector.settings.fields import Settings
from stream_detector.sources.reading import read_record

__all__ = ["Highlight", "Ledger"]

_HIGHLIGHTS = 2000
_Position = tuple[int, int]
"""Partition and offset in the input topic."""


class Highlight(NamedTuple):
    """A verdict worth showing."""

    id: str
    score: float | None
    verdict: str
    kind: str
    client: str
    text: str


class _Expected(NamedTuple):
    """What one line must become."""

    events: frozenset[int]
    """Indexes of the URLs and hosts in it: a verdict each."""
    at_fault: bool
    """A line of it cannot be read: a dead letter."""


class Ledger:
    """Counts by record and outcome. Not safe for threads: one of them calls everything.

    A record is accounted for when each URL or host in it has its verdict, or the record is in
    the dead-letter topic; a line that names none (a header, an answer) needs nothing to come
    out. What a line needs is read from the line itself, with the detector's own parsers.
    """

    def __init__(self, lines: Sequence[bytes], *, settings: Settings) -> None:
        """``lines`` are the values that are sent, ``settings`` those of the worker."""
        self._expected = [_expected(line, settings.record_lines_max) for line in lines]
        self._sent: dict[_Position, Sent] = {}
        self._open: dict[_Position, Sent] = {}
        self._verdicts: dict[_Position, dict[int, float]] = {}
        self._dead: dict[_Position, float] = {}
        self.verdicts: Counter[str] = Counter()
        """Verdicts by class."""
        self.dead_letters: Counter[str] = Counter()
        """Dead letters by reason."""
        self.silent = 0
        """Records that name no URL by their nature."""
        self.repeated = 0
        """Outputs that came more than once, which at least once allows."""
        self.latencies: list[float] = []
        """Seconds from a record's writing until its last output was seen."""
        self.highlights: deque[Highlight] = deque(maxlen=_HIGHLIGHTS)
        """The newest verdicts that are not benign, oldest first."""
        self.alerts: set[str] = set()
        """Ids of the verdicts that raised an alert."""

    @property
    def sent_count(self) -> int:
        """Records that Kafka has."""
        return len(self._sent)

    @property
    def open_count(self) -> int:
        """Records among them that are not accounted for yet."""
        return len(self._open)

    @property
    def verdict_count(self) -> int:
        """Verdicts seen, without repetitions."""
        return self.verdicts.total()

    def sent(self, record: Sent) -> None:
        """A record is in the input topic."""
        position = record.partition, record.offset
        self._sent[position] = self._open[position] = record
        expected = self._expected[record.line]
        if not expected.events and not expected.at_fault:
            self.silent += 1
            del self._open[position]
        else:
            # The verdict may have been seen before the producer heard of its record.
            self._settle(position)

    def verdict(
        self, partition: int, offset: int, index: int, highlight: Highlight, seen: float
    ) -> None:
        """A verdict was seen at ``seen``, seconds since the epoch."""
        of_record = self._verdicts.setdefault((partition, offset), {})
        if index in of_record:
            self.repeated += 1
            return
        of_record[index] = seen
        self.verdicts[highlight.verdict] += 1
        if highlight.verdict != "benign":
            self.highlights.append(highlight)
        self._settle((partition, offset))

    def dead_letter(self, partition: int, offset: int, reason: str, seen: float) -> None:
        """A dead letter was seen at ``seen``, seconds since the epoch."""
        if (partition, offset) in self._dead:
            self.repeated += 1
            return
        self._dead[partition, offset] = seen
        self.dead_letters[reason] += 1
        self._settle((partition, offset))

    def latency(self, quantile: float) -> float:
        """Seconds within which the share ``quantile`` of records was seen; 0 without any."""
        if not self.latencies:
            return 0.0
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]

    def _settle(self, position: _Position) -> None:
        """Close the record at ``position`` if all that it needs has come out."""
        record = self._open.get(position)
        if record is None:
            return
        expected = self._expected[record.line]
        verdicts = self._verdicts.get(position, {})
        dead = self._dead.get(position)
        if dead is None and (expected.at_fault or not verdicts.keys() >= expected.events):
            return
        del self._open[position]
        seen = max([*verdicts.values(), *([] if dead is None else [dead])])
        self.latencies.append(max(0.0, seen - record.time))


def _expected(line: bytes, lines_max: int) -> _Expected:
    results = [result for _, result in read_record(line, source=None, lines_max=lines_max)]
    return _Expected(
        frozenset(n for n, result in enumerate(results) if isinstance(result, UrlEvent)),
        any(isinstance(result, Rejected) for result in results),
    )
