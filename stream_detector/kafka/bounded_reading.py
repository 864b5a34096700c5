"""Topics read by kafka-python outside of any group: spans of partitions, or single records."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

from stream_detector.errors import MissingRecordError, RetryableError
from stream_detector.events import UnreadRecord
from stream_detector.kafka.admin import as_ours, reached
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.record_batches import (
    BATCH_HEADER_BYTES,
    decompressed_bytes_max,
    records_of_batch,
)
from stream_detector.kafka.topics import check_topic
from stream_detector.settings.fields import Settings

Headers = list[tuple[str, bytes]]
Keep = Callable[[bytes | None, bytes | None, Headers], tuple[bytes | None, bytes | None, Headers]]
"""Gets key, value and headers of a record, and returns what a reader keeps of them."""

_UNREAD_HEADERS: Headers = []
"""The headers of all unread records, and of no other."""

POLL_MS = 500
QUIET_SECONDS = 60.0
"""After this time without a record, reading gives up on the rest of the topic."""
_BATCH_RECORDS = 5_000
_LOOKUP_SECONDS = 30.0


class Span(NamedTuple):
    """Records of a partition, from an offset up to another one."""

    partition: TopicPartition
    start: int
    end: int


@contextmanager
def bounded_consumer(
    settings: Settings,
    *,
    defaults: Mapping[str, Any] | None = None,
    keep: Keep | None = None,
    **options: Any,
) -> Iterator[Any]:
    """A ``KafkaConsumer`` for the block that returns all records, in bounded memory.

    A damaged record, or one beyond the limit of a batch, has no key, value and headers, and
    ``is_unread`` knows it. The settings' ``kafka_options`` override ``defaults``, and ``options``
    override both; without any it joins no group. ``keep`` may shorten the other records.
    """
    options = (
        {**(defaults or {}), **client_options(reached(settings), KafkaConsumer)}
        | {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed"}
        | options
    )
    with closing(KafkaConsumer(**options)) as consumer:
        batch_of = partial(
            Batch, bytes_max=decompressed_bytes_max(settings.record_bytes_max), keep=keep
        )
        fetcher = consumer._fetcher

        class BoundedRecords(fetcher.PartitionRecords):  # type: ignore[misc, name-defined]
            def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
                batches = _Batches(records, batch_of)
                unpacked: Iterator[Any] = super()._unpack_records(tp, batches, *deserializers)
                return unpacked

        # kafka-python decompresses a whole batch, and stops for good at one that it can't read.
        # It builds the records of each fetch with this class, and offers no option for it.
        fetcher.PartitionRecords = BoundedRecords
        yield consumer


def is_unread(record: Any) -> bool:
    """Whether a record of a bounded consumer stands for one that was not read."""
    return record.headers is _UNREAD_HEADERS


class _Batches:
    """In place of kafka-python's ``MemoryRecords``."""

    def __init__(self, records: Any, batch_of: Any) -> None:
        self._records = records
        self._batch_of = batch_of

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        return self._batch_of(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch


class Batch(DefaultRecordBatch):  # type: ignore[misc] # kafka-python has no types
    """A batch that yields every record, in bounded memory."""

    def __init__(self, buffer: Any, *, bytes_max: int, keep: Keep | None = None) -> None:
        super().__init__(buffer)
        self._bytes_max = bytes_max
        self._keep = keep

    def __iter__(self) -> Iterator[Any]:
        payload = bytes(memoryview(self._buffer)[BATCH_HEADER_BYTES:])
        for record in records_of_batch(self, payload, self._bytes_max):
            key, value, headers = record.key, record.value, _UNREAD_HEADERS
            if not isinstance(record, UnreadRecord):
                headers = list(record.headers)
                if self._keep is not None:
                    key, value, headers = self._keep(key, value, headers)
            yield DefaultRecord(
                len(key or b"") + len(value or b""),
                record.offset,
                self.max_timestamp if record.timestamp is None else record.timestamp,
                self.timestamp_type,
                key,
                value,
                headers,
            )


# --- spans ----------------------------------------------------------------------------------


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[Any]:
    """A consumer of no group for the block, for ``topic`` as the settings name it.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached, or sends nothing for a minute though there is more.
        FatalError: it refuses the credentials or a request.
    """
    check_topic(settings, topic, "READ")
    try:
        # From the earliest record if one expires before it is read, so that the rest is read.
        with bounded_consumer(settings, auto_offset_reset="earliest") as consumer:
            yield consumer
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error


def spans_between(consumer: Any, topic: str, times: Sequence[datetime | None]) -> Iterator[Span]:
    """The records of each partition of ``topic`` between each two of the rising ``times``.

    In order of partition, then of offset; None is the current end of the topic.
    """
    numbers = consumer.partitions_for_topic(topic)
    partitions = [TopicPartition(topic, number) for number in sorted(numbers or ())]
    ends = consumer.end_offsets(partitions)
    bounds = [_offsets_at(consumer, moment, ends) for moment in times]
    for partition in partitions:
        for first, last in itertools.pairwise(bounds):
            if first[partition] < last[partition]:
                yield Span(partition, first[partition], last[partition])


def records_of(consumer: Any, span: Span) -> Iterator[tuple[list[Any], int]]:
    """The records of a span batch by batch, each with the number of offsets read so far.

    Raises:
        RetryableError: Kafka sends nothing for a minute though there is more.
    """
    consumer.assign([span.partition])
    consumer.seek(span.partition, span.start)
    heard = time.monotonic()
    position = span.start
    while position < span.end:
        found = consumer.poll(timeout_ms=POLL_MS, max_records=_BATCH_RECORDS)
        records = found.get(span.partition, [])
        # The position also skips offsets without a record: transaction markers, expired records.
        reached = consumer.position(span.partition, timeout_ms=POLL_MS) or position
        if reached > position:
            heard, position = time.monotonic(), reached
            within = [record for record in records if record.offset < span.end]
            yield within, min(position, span.end) - span.start
        elif time.monotonic() - heard > QUIET_SECONDS:
            raise RetryableError(
                f"Kafka sent nothing for {QUIET_SECONDS:.0f} s from partition "
                f"{span.partition.partition} of {span.partition.topic}, where there is more: check "
                "its brokers"
            )


def _offsets_at(
    consumer: Any, moment: datetime | None, ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The first offset of each partition written at ``moment`` or later, or else its end."""
    if moment is None:
        return ends
    milliseconds = int(moment.timestamp() * 1000)
    found = consumer.offsets_for_times(dict.fromkeys(ends, milliseconds))
    return {
        partition: end if found[partition] is None else found[partition].offset
        for partition, end in ends.items()
    }


# --- single records -------------------------------------------------------------------------


@contextmanager
def record_lookup(settings: Settings) -> Iterator["RecordLookup"]:
    """A ``RecordLookup`` for the block. Raises the errors of kafka-python."""
    with bounded_consumer(settings, max_poll_records=1) as consumer:
        yield RecordLookup(consumer)


class RecordLookup:
    """Reads single records. Asks for the bounds of a partition once, with its first record."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._bounds: dict[TopicPartition, tuple[int, int]] = {}

    def check(self, topic: str, partition: int, offset: int) -> None:
        """Check that the offset lies within the bounds of the partition.

        Raises:
            MissingRecordError: it does not.
        """
        where, found = _place(topic, partition, offset), TopicPartition(topic, partition)
        if found not in self._bounds:
            if partition not in (self._consumer.partitions_for_topic(topic) or ()):
                raise MissingRecordError(f"there is no {where}, not even the partition")
            first = self._consumer.beginning_offsets([found])[found]
            self._bounds[found] = first, self._consumer.end_offsets([found])[found]
        first, end = self._bounds[found]
        if offset < first:
            raise MissingRecordError(f"{where} has expired, the oldest record there is {first}")
        if offset >= end:
            raise MissingRecordError(f"{where} has not been written yet")

    def record(self, topic: str, partition: int, offset: int) -> Any:
        """The record, as kafka-python has it.

        Raises:
            MissingRecordError: there is none.
            RetryableError: Kafka does not send it.
        """
        self.check(topic, partition, offset)
        where, found = _place(topic, partition, offset), TopicPartition(topic, partition)
        if self._consumer.assignment() != {found}:
            self._consumer.assign([found])
        self._consumer.seek(found, offset)
        deadline = time.monotonic() + _LOOKUP_SECONDS
        while not (records := self._consumer.poll(timeout_ms=POLL_MS, max_records=1).get(found)):
            if time.monotonic() >= deadline:
                raise RetryableError(
                    f"{where} was not read within {_LOOKUP_SECONDS:.0f} s: try again"
                )
        record = records[0]
        if is_unread(record):
            raise MissingRecordError(
                f"{where} can't be read: its batch is damaged, or decompresses to more than twice "
                "record_bytes_max"
            )
        if record.offset != offset:
            raise MissingRecordError(f"there is no {where} (compacted away, or never committed)")
        return record


def _place(topic: str, partition: int, offset: int) -> str:
    return f"record {offset} in partition {partition} of {topic}"
