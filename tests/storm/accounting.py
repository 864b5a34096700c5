"""What came out of a storm, held against what went in: nothing lost, nothing decided two ways.

What has to come out of a record is found by reading its bytes again, offline, by the worker's own
pipeline. An offset then owes verdicts of certain ids, a dead letter, both, or nothing, where all
its lines name no URL. Ids derive from offsets, so 25 bytes an id hold an account of a million.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.events import Chunk
from stream_detector.metrics import Metrics
from stream_detector.settings.fields import Settings
from stream_detector.wire.outcomes import encode
from support.records import Record
from support.rule_worker import RuleScorer

__all__ = ["Account", "Count", "OfflineReader", "Readings", "chunks_of"]

_EXAMPLES = 10
_INDEX_BITS = 20
"""For the place of an event in its record; ``RECORD_LINES_MAX`` is far below its limit."""
_CHUNK_RECORDS = 2000


class _Place(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    index: int


class _Written(msgspec.Struct):
    """What a verdict in Kafka says, but for when it was made."""

    id: str
    source: _Place
    observed: str
    canonical: str
    kind: str
    registered_domain: str
    client: str | None
    format: str
    event_time: str | None
    log_id: str | None
    score: float | None
    verdict: str
    reason: str
    thresholds: msgspec.Raw
    model: msgspec.Raw

    def reading(self) -> int:
        """A number for what was read, which the offline reading has to give too."""
        return _number(
            repr(
                (
                    self.observed,
                    self.canonical,
                    self.kind,
                    self.client,
                    self.format,
                    self.event_time,
                    self.log_id,
                )
            ).encode()
        )

    def decision(self) -> int:
        """A number for what was decided, which every repeat has to give too."""
        text = repr((self.score, self.verdict, self.reason)).encode()
        return _number(b"|".join((text, bytes(self.thresholds), bytes(self.model))))


_read_verdict = msgspec.json.Decoder(_Written).decode


class Readings(NamedTuple):
    """What the records of one chunk owe."""

    records: int
    verdicts: list[bytes]
    """As the pipeline writes them; the scores in them mean nothing."""
    dead_letters: list[tuple[int, str, bytes]]
    """Offset, reason and value."""


class OfflineReader:
    """Reads records by the worker's pipeline, without a model."""

    def __init__(self, cluster: str, topic: str) -> None:
        settings, metrics = Settings(), Metrics()
        self._topic = topic
        self._pipeline = pipeline_of(
            settings=settings,
            decider=decider_of(RuleScorer(), settings=settings, metrics=metrics),
            metrics=metrics,
            cluster=cluster,
        )

    def read(self, partition: int, records: Sequence[Record]) -> Readings:
        """What ``records``, in order of offset, have to become."""
        outcomes = self._pipeline.process([Chunk(self._topic, partition, records)])
        verdicts = [value or b"" for _, value, _ in encode(outcomes).verdicts]
        letters = [
            (each.source.offset, each.reason.value, each.value or b"")
            for each in outcomes.dead_letters
        ]
        return Readings(len(records), verdicts, letters)


class Count:
    """How often something was found, and the first few of it."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, example: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


class _Partition:
    """What the offsets of one input partition owe, in order, and what came of it so far."""

    def __init__(self) -> None:
        self.ids = array("Q")
        """Offset and index of each verdict owed."""
        self.readings = array("Q")
        self.decisions = array("Q")
        """0 until the verdict is seen."""
        self.seen = bytearray()
        self.letters = array("Q")
        """Offset of each dead letter owed."""
        self.reasons: list[str] = []
        self.values = array("Q")
        """A number for the value of each dead letter."""
        self.letters_seen = bytearray()


class Account:
    """Holds outputs against what inputs owe: first all ``expect``, then all else in any order."""

    def __init__(self, cluster: str, topic: str) -> None:
        self._prefix = f"{cluster}:{topic}"
        self._topic = topic
        self._partitions: dict[int, _Partition] = {}
        self._malicious: dict[int, str] = {}
        """An id for each client and domain of malicious verdicts."""
        self._alerted: set[int] = set()
        self.records = 0
        self.verdicts = 0
        """Seen, repeats among them."""
        self.dead_letters = 0
        """Seen, repeats among them."""
        self.differing = Count()
        """Repeats that say something else than the first of their id."""
        self.misread = Count()
        """Outputs that say something else than the offline reading of their record."""
        self.unexpected = Count()
        """Outputs that no record owes."""

    def expect(self, partition: int, readings: Readings) -> None:
        """Note what the next records of ``partition`` owe."""
        account = self._partitions.setdefault(partition, _Partition())
        self.records += readings.records
        for value in readings.verdicts:
            written = _read_verdict(value)
            account.ids.append(_code(written.source.offset, written.source.index))
            account.readings.append(written.reading())
            account.decisions.append(0)
            account.seen.append(0)
        for offset, reason, value in readings.dead_letters:
            account.letters.append(offset)
            account.reasons.append(reason)
            account.values.append(_number(value))
            account.letters_seen.append(0)

    def see_verdict(self, value: bytes) -> None:
        """Check off a verdict of the topic of verdicts."""
        self.verdicts += 1
        written = _read_verdict(value)
        _, partition, offset, index = msgspec.structs.astuple(written.source)
        account = self._partitions.get(partition)
        place = _find(account.ids, _code(offset, index)) if account else None
        if (
            account is None
            or place is None
            or written.id != f"{self._prefix}:{partition}:{offset}:{index}"
        ):
            self.unexpected.add(f"verdict {written.id}")
            return
        decision = written.decision()
        if account.readings[place] != written.reading():
            self.misread.add(f"verdict {written.id} on {written.observed!r}")
        if not account.seen[place]:
            account.decisions[place] = decision
        elif account.decisions[place] != decision:
            self.differing.add(f"{written.id}: {written.verdict}, {written.score}")
        account.seen[place] = 1
        if written.verdict == "malicious":
            key = f"{written.client or ''}|{written.registered_domain}"
            self._malicious[_number(key.encode())] = written.id

    def see_dead_letter(self, record: Record) -> None:
        """Check off a record of the topic of dead letters."""
        self.dead_letters += 1
        headers = dict(record.headers)
        partition, offset = int(headers["source-partition"]), int(headers["source-offset"])
        account = self._partitions.get(partition)
        place = _find(account.letters, offset) if account else None
        name = f"dead letter of {partition}:{offset}"
        if account is None or place is None or headers["source-topic"] != self._topic.encode():
            self.unexpected.add(name)
            return
        reason = headers["reason"].decode()
        if account.reasons[place] != reason:
            self.misread.add(f"{name}: {reason}, offline {account.reasons[place]}")
        # What the topic would not take whole is cut, and says so.
        elif "truncated-from-bytes" not in headers and account.values[place] != _number(
            record.value or b""
        ):
            self.misread.add(f"{name}: its value is not that of the record")
        account.letters_seen[place] = 1

    def see_alert(self, key: bytes) -> None:
        """Note that there is an alert of this key, ``client|registered_domain``."""
        self._alerted.add(_number(key))

    def lost(self) -> Count:
        """Verdicts and dead letters that are owed, and never came."""
        lost = Count()
        for number, account in sorted(self._partitions.items()):
            for code, seen in zip(account.ids, account.seen, strict=True):
                if not seen:
                    offset, index = divmod(code, 1 << _INDEX_BITS)
                    lost.add(f"verdict {self._prefix}:{number}:{offset}:{index}")
            for offset, seen in zip(account.letters, account.letters_seen, strict=True):
                if not seen:
                    lost.add(f"dead letter of {number}:{offset}")
        return lost

    def unalerted(self) -> Count:
        """Clients and domains of malicious verdicts without any alert."""
        unalerted = Count()
        for key in self._malicious.keys() - self._alerted:
            unalerted.add(f"client and domain of {self._malicious[key]}")
        return unalerted

    @property
    def owed(self) -> int:
        """Verdicts and dead letters that the input owes."""
        return sum(len(each.ids) + len(each.letters) for each in self._partitions.values())

    @property
    def naming_no_url(self) -> int:
        """Records that owe nothing."""
        owing = 0
        for account in self._partitions.values():
            offsets = {code >> _INDEX_BITS for code in account.ids}
            owing += len(offsets.union(account.letters))
        return self.records - owing

    @property
    def repeated(self) -> int:
        """Outputs beyond the first of their id."""
        partitions = self._partitions.values()
        distinct = sum(sum(each.seen) + sum(each.letters_seen) for each in partitions)
        return self.verdicts + self.dead_letters - self.unexpected.count - distinct


def chunks_of(records: Iterable[Record]) -> Iterator[tuple[int, list[Record]]]:
    """``records`` by partition, so many at a time, in order of offset."""
    waiting: dict[int, list[Record]] = {}
    for record in records:
        chunk = waiting.setdefault(record.partition, [])
        chunk.append(record)
        if len(chunk) >= _CHUNK_RECORDS:
            yield record.partition, waiting.pop(record.partition)
    yield from waiting.items()


def _code(offset: int, index: int) -> int:
    return (offset << _INDEX_BITS) + index


def _find(values: "array[int]", value: int) -> int | None:
    place = bisect_left(values, value)
    return place if place < len(values) and values[place] == value else None


def _number(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())
