"""Record batches of kafka-python, with the same bounds as the worker's.

kafka-python decompresses a whole record batch, and stops for good at one that it can't read.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

from stream_detector.events import UnreadRecord
from stream_detector.kafka.record_batches import (
    BATCH_HEADER_BYTES,
    decompressed_bytes_max,
    records_of_batch,
)
from stream_detector.settings.fields import Settings

_UNREAD_HEADERS: list[tuple[str, bytes]] = []
"""The headers of all unread records, and of no other."""


def bound_records(consumer: Any, settings: Settings) -> None:
    """Make a ``KafkaConsumer``, which has read nothing yet, return all records in bounded memory.

    A damaged record, or one beyond the limit, has no key, value and headers.
    """
    use_batches(consumer, partial(_Batch, bytes_max=decompressed_bytes_max(settings)))


def is_unread(record: Any) -> bool:
    """Whether a record of a bounded consumer stands for an unread one."""
    return record.headers is _UNREAD_HEADERS


def use_batches(consumer: Any, batch_of: Any) -> None:
    """Make a ``KafkaConsumer`` build its batches by ``batch_of``, which gets the bytes of one."""
    fetcher = consumer._fetcher

    class BoundedRecords(fetcher.PartitionRecords):  # type: ignore[misc, name-defined]
        def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
            batches = _Batches(records, batch_of)
            unpacked: Iterator[Any] = super()._unpack_records(tp, batches, *deserializers)
            return unpacked

    fetcher.PartitionRecords = BoundedRecords


class _Batches:
    """In place of ``MemoryRecords``."""

    def __init__(self, records: Any, batch_of: Any) -> None:
        self._records = records
        self._batch_of = batch_of

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        return self._batch_of(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch(DefaultRecordBatch):  # type: ignore[misc] # kafka-python has no types
    """A batch that yields every record, in bounded memory."""

    def __init__(self, buffer: Any, *, bytes_max: int) -> None:
        super().__init__(buffer)
        self._bytes_max = bytes_max

    def __iter__(self) -> Iterator[Any]:
        payload = bytes(memoryview(self._buffer)[BATCH_HEADER_BYTES:])
        for record in records_of_batch(self, payload, self._bytes_max):
            unread = isinstance(record, UnreadRecord)
            timestamp = self.max_timestamp if record.timestamp is None else record.timestamp
            size = len(record.key or b"") + len(record.value or b"")
            yield DefaultRecord(
                size,
                record.offset,
                timestamp,
                self.timestamp_type,
                record.key,
                record.value,
                _UNREAD_HEADERS if unread else list(record.headers),
            )
