"""What came out, read on from where the last reading ended, and what of it each record became."""

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from confluent_kafka import Message, TopicPartition

from attack.kinds import SECRET
from storm.accounting import Count, OfflineReader, chunks_of
from support.records import Record, each_record, end_offsets_by, open_consumer

__all__ = ["OutputReader", "owing"]

Place = tuple[str, int, int]
"""Topic, partition and offset of an input record."""

_SECRET = SECRET.encode()
_STILL_SECONDS = 60.0


class _Source(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    index: int


class _Written(msgspec.Struct):
    source: _Source


_read_verdict = msgspec.json.Decoder(_Written).decode


class OutputReader:
    """Reads topics of verdicts, alerts and dead letters; a context manager."""

    def __init__(
        self, bootstrap_servers: str, *, verdicts: str, alerts: str, dead_letters: str
    ) -> None:
        self._verdicts, self._dead_letters = verdicts, dead_letters
        self._topics = (verdicts, alerts, dead_letters)
        self._consumer = open_consumer(bootstrap_servers)
        self._positions: dict[tuple[str, int], int] = {}
        self.written: dict[Place, int] = {}
        """When Kafka got the first output of each input record, in milliseconds."""
        self.outputs = 0
        """Verdicts and dead letters, of the last reading."""
        self.last_ms: dict[str, int] = {}
        """When Kafka got the last output of each input topic, of the last reading."""
        self.secrets = Count()
        """Outputs that hold the planted secret."""

    def read_on(self) -> None:
        """Read what there is behind the last reading."""
        self.written.clear()
        self.last_ms.clear()
        self.outputs = 0
        for message in self._new_messages():
            self._take(message)

    def _new_messages(self) -> Iterator[Message]:
        for topic in self._topics:
            left = {}
            for (_, number), end in end_offsets_by(self._consumer, topic).items():
                start = self._positions.get((topic, number), 0)
                self._positions[topic, number] = end
                if start < end:
                    left[number] = end
                    self._consumer.incremental_assign([TopicPartition(topic, number, start)])
            deadline = time.monotonic() + _STILL_SECONDS
            while left:
                messages = self._consumer.consume(10_000, timeout=0.1)
                assert messages or time.monotonic() < deadline, f"{topic} does not come to an end"
                for message in messages:
                    assert message.error() is None, message.error()
                    deadline = time.monotonic() + _STILL_SECONDS
                    number = message.partition()
                    if message.offset() >= left.get(number, 0) - 1:
                        left.pop(number, None)
                    yield message
            self._consumer.unassign()

    def _take(self, message: Message) -> None:
        topic, value, key = message.topic(), message.value() or b"", message.key() or b""
        headers: Sequence[tuple[str, bytes]] = message.headers() or []
        parts = [value, key, *(part or b"" for _, part in headers)]
        if any(_SECRET in part for part in parts):
            self.secrets.add(f"{topic} {message.partition()}:{message.offset()}: {_around(parts)}")
        if topic == self._verdicts:
            source = _read_verdict(value).source
            place = source.topic, source.partition, source.offset
        elif topic == self._dead_letters:
            names = dict(headers)
            place = (
                names["source-topic"].decode(),
                int(names["source-partition"]),
                int(names["source-offset"]),
            )
        else:
            return
        at = message.timestamp()[1]
        self.outputs += 1
        self.written.setdefault(place, at)
        self.last_ms[place[0]] = max(at, self.last_ms.get(place[0], 0))

    def __enter__(self) -> "OutputReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _around(parts: Iterable[bytes]) -> str:
    found = next(part for part in parts if _SECRET in part)
    place = found.index(_SECRET)
    return repr(found[max(0, place - 80) : place + 40])


def owing(bootstrap_servers: str, cluster: str, topic: str, places: set[Place]) -> Count:
    """Those of ``places`` in ``topic`` that name a URL or are at fault, read again offline.

    They should have become something; the others are rightly passed over.
    """
    owed = Count()
    if not places:
        return owed
    reader = OfflineReader(cluster, topic)
    missing: Iterator[Record] = (
        record
        for record in each_record(bootstrap_servers, topic)
        if (topic, record.partition, record.offset) in places
    )
    for partition, records in chunks_of(missing):
        for record in records:
            readings = reader.read(partition, [record])
            if readings.verdicts or readings.dead_letters:
                owed.add(f"{topic} {partition}:{record.offset}: {(record.value or b'')[:60]!r}")
    return owed
