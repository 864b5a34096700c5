"""Replaces aiokafka's reading of a fetch by one with bounded memory.

aiokafka decompresses a whole record batch, however large, and returns any number of bytes at once.
Here a batch is decompressed up to a limit, and a chunk ends at ``CHUNK_BYTES_MAX``. A record beyond
the first limit comes as ``UnreadRecord``, so that none is lost; beyond ``UNREAD_RECORDS_MAX`` of
them, the rest of the batch comes as one. So does a record that a broker accepts and aiokafka
refuses: aiokafka would read the same batch again and again, and the partition would stand still.

Batches in the formats before Kafka 0.11, which Kafka 4 does not know, have no bound here.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from stream_detector.events import RawRecord
from stream_detector.kafka.record_batches import (
    BATCH_HEADER_BYTES,
    GZIP,
    LZ4,
    SNAPPY,
    ZSTD,
    decompressed,
    decompressed_bytes_max,
    records_of_batch,
    with_last_headers,
)
from stream_detector.limits import CHUNK_BYTES_MAX, DECOMPRESSED_BYTES_MAX, HEADER_MEMORY_BYTES

_LENGTH_END = 12
"""A batch begins with its first offset and the number of bytes behind this length."""


def bound_fetches(decompressed_bytes_max: int) -> None:
    """Make all consumers of this process use these classes, with this limit for a batch."""
    fetcher.PartitionRecords = RecordsAsDecoded
    fetcher.FetchResult = FetchedChunks
    fetcher.MemoryRecords = RecordBatches
    # aiokafka's compiled module looks its decoders up by name at each call.
    decoders = sys.modules[DefaultRecordBatch.__module__]
    for name, codec in (
        ("gzip_decode", GZIP),
        ("snappy_decode", SNAPPY),
        ("lz4_decode", LZ4),
        ("zstd_decode", ZSTD),
    ):
        setattr(decoders, name, partial(decompressed, codec, bytes_max=decompressed_bytes_max))
    _BoundedBatch.bytes_max = decompressed_bytes_max


@asynccontextmanager
async def lone_consumer(
    options: Mapping[str, Any], *topics: str, record_bytes_max: int
) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer in bounded memory that joins no group and begins at the beginning."""
    bound_fetches(decompressed_bytes_max(record_bytes_max))
    consumer = AIOKafkaConsumer(
        *topics,
        **{
            **options,
            "group_id": None,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
        },
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await consumer.stop()


class RecordsAsDecoded(fetcher.PartitionRecords):
    """Yields aiokafka's decoded records as they are.

    They fit ``RawRecord``. aiokafka makes a ``ConsumerRecord`` of each, without an option to leave
    that out, which takes longer than to parse it.
    """

    def _consumer_record(self, tp: Any, record: RawRecord) -> RawRecord:
        return record


class FetchedChunks(fetcher.FetchResult):
    """Returns the records of one chunk at once, bounded by their number and their bytes."""

    _partition_records: RecordsAsDecoded | None

    def getall(self, max_records: int | None = None) -> list[RawRecord]:
        """As aiokafka's, but also stops at ``CHUNK_BYTES_MAX``."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records: list[RawRecord] = []
        size = 0
        for record in self._partition_records or ():
            records.append(record)
            size += len(record.value or b"") + len(record.key or b"")
            size += HEADER_MEMORY_BYTES * len(record.headers)
            if size >= CHUNK_BYTES_MAX or len(records) == max_records:
                self._update_position()
                break
        else:
            self._update_position()
            self._partition_records = None
        return records


class RecordBatches:
    """The record batches of a fetch, in place of aiokafka's ``MemoryRecords``."""

    def __init__(self, fetched: bytes) -> None:
        self._fetched = fetched
        self._position = 0

    def size_in_bytes(self) -> int:
        """Size of all batches, with a truncated one at the end."""
        return len(self._fetched)

    def has_next(self) -> bool:
        """Whether another complete batch follows."""
        return self._next_end() is not None

    def next_batch(self) -> Any:
        """The next batch; None behind the last complete one."""
        end = self._next_end()
        if end is None:
            return None
        content, self._position = self._fetched[self._position : end], end
        batch = MemoryRecords(content).next_batch()
        is_read_here = isinstance(batch, DefaultRecordBatch) and not batch.is_control_batch
        return _BoundedBatch(batch, content) if is_read_here else batch

    def _next_end(self) -> int | None:
        start = self._position + _LENGTH_END
        if start > len(self._fetched):
            return None
        end = start + int.from_bytes(self._fetched[start - 4 : start], "big", signed=True)
        return end if start < end <= len(self._fetched) else None


class _BoundedBatch:
    """A record batch that yields every record: unread if it is damaged or too large."""

    bytes_max = DECOMPRESSED_BYTES_MAX

    def __init__(self, batch: Any, content: bytes) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[RawRecord]:
        batch = self._batch
        next_offset, end = batch.base_offset, batch.next_offset
        try:
            for record in batch:
                # The broker accepts a record that claims any offset.
                if not next_offset <= record.offset < end:
                    break
                next_offset = record.offset + 1
                yield with_last_headers(record)
            else:
                return
        except Exception:  # noqa: BLE001, S110 - too large, or a dozen kinds of other libraries
            pass
        # From the beginning of the batch: aiokafka skips the offsets that were yielded already.
        payload = self._content[BATCH_HEADER_BYTES:]
        yield from records_of_batch(batch, payload, self.bytes_max)
