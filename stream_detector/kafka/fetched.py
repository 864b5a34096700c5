"""What aiokafka makes of a fetch, with a bound on the memory that it takes.

aiokafka decompresses a record batch as a whole, however large it gets, and gives out any number of
bytes at once. Here a batch is decompressed up to a limit, and what it gives at once ends at
``CHUNK_BYTES_MAX``. Records beyond the first limit come as ``UnreadRecord``: none is lost, and
beyond ``UNREAD_RECORDS_MAX`` many are one. So do those that aiokafka refuses though a broker takes
them, at which it would stop.

Batches in the formats before Kafka 0.11, which Kafka 4 neither takes nor gives, have no bound here.
"""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from aiokafka.consumer import fetcher
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
    records_of_batch,
    with_last_headers,
)
from stream_detector.limits import CHUNK_BYTES_MAX, DECOMPRESSED_BYTES_MAX, HEADER_MEMORY_BYTES

__all__ = [
    "FetchedChunks",
    "RecordBatches",
    "RecordsAsDecoded",
    "bound_fetches",
]

_LENGTH_END = 12
"""Of a batch: its first offset and its length, which counts the bytes behind."""


def bound_fetches(decompressed_bytes_max: int) -> None:
    """Have all consumers of this process use what is defined here, with this limit of a batch."""
    fetcher.PartitionRecords = RecordsAsDecoded
    fetcher.FetchResult = FetchedChunks
    fetcher.MemoryRecords = RecordBatches
    # The compiled module of aiokafka looks its decoders up by name at each call.
    decoders = sys.modules[DefaultRecordBatch.__module__]
    for name, codec in (
        ("gzip_decode", GZIP),
        ("snappy_decode", SNAPPY),
        ("lz4_decode", LZ4),
        ("zstd_decode", ZSTD),
    ):
        setattr(decoders, name, partial(decompressed, codec, bytes_max=decompressed_bytes_max))
    _BoundedBatch.bytes_max = decompressed_bytes_max


class RecordsAsDecoded(fetcher.PartitionRecords):
    """Yields aiokafka's decoded records as they are.

    They have all that ``RawRecord`` asks for; making a ``ConsumerRecord`` of each, which aiokafka
    offers no way around, takes longer than parsing it.
    """

    def _consumer_record(self, tp: Any, record: RawRecord) -> RawRecord:
        return record


class FetchedChunks(fetcher.FetchResult):
    """Gives as many records at once as make a chunk, by their number and by their bytes."""

    _partition_records: RecordsAsDecoded | None

    def getall(self, max_records: int | None = None) -> list[RawRecord]:
        """As aiokafka's, but that it stops at ``CHUNK_BYTES_MAX`` too."""
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
    """The record batches of a fetch, in the place of aiokafka's ``MemoryRecords``."""

    def __init__(self, fetched: bytes) -> None:
        self._fetched = fetched
        self._position = 0

    def size_in_bytes(self) -> int:
        """Of all batches, and of one that is cut off at the end."""
        return len(self._fetched)

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return self._next_end() is not None

    def next_batch(self) -> Any:
        """The next batch; None behind the last one that is whole."""
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
    """A record batch of which all records come: unread what can't be read, or is too much."""

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
                # The broker takes a record that claims any offset.
                if not next_offset <= record.offset < end:
                    break
                next_offset = record.offset + 1
                yield with_last_headers(record)
            else:
                return
        except Exception:  # noqa: BLE001, S110 - too large, or a dozen kinds of other libraries
            pass
        # From the batch's beginning: aiokafka passes over the offsets that it has given.
        payload = self._content[BATCH_HEADER_BYTES:]
        yield from records_of_batch(batch, payload, self.bytes_max)
