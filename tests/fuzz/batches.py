"""Record batches of Kafka, as each of the three clients here reads them."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import cramjam
from aiokafka.structs import TopicPartition
from kafka.record.default_records import DefaultRecordBatch

from stream_detector.events import UnreadRecord
from stream_detector.kafka.bounded_reading import Batch, is_unread
from stream_detector.kafka.fetched import RecordBatches, RecordsAsDecoded, bound_fetches
from stream_detector.kafka.record_batches import BATCH_HEADER_BYTES, records_of_batch
from stream_detector.limits import DECOMPRESSED_BYTES_MAX
from support.raw_batches import raw_batch

__all__ = ["check_batches"]

_PACKED: Mapping[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda content: gzip.compress(content, 1, mtime=0),
    2: lambda content: bytes(cramjam.snappy.compress_raw(content)),
    3: lambda content: bytes(cramjam.lz4.compress(content)),
    4: lambda content: bytes(cramjam.zstd.compress(content)),
}
"""By the number of the codec in a batch's attributes."""
_SMALL_BYTES = 256
_IS_AS_GIVEN = 128
"""Of the first byte: the rest is what the codec made, and not what it is to pack."""


def check_batches(data: bytes) -> None:
    """The records of a batch come in order, none twice, as many as it claims, within the bounds."""
    choice, content = (data[0], data[1:]) if data else (0, b"")
    codec, count = choice % len(_PACKED), 1 + choice % 16
    packed = content if choice & _IS_AS_GIVEN else _PACKED[codec](content)
    batch = raw_batch(packed, count, codec=codec)
    bound_fetches(DECOMPRESSED_BYTES_MAX)
    fetched = RecordsAsDecoded(
        *(TopicPartition("t", 0), RecordBatches(batch), [], 0),
        *(None, None, False, "read_uncommitted"),
    )
    _check_records(fetched, count, DECOMPRESSED_BYTES_MAX)
    for bytes_max in (_SMALL_BYTES, DECOMPRESSED_BYTES_MAX):
        records = records_of_batch(DefaultRecordBatch(batch), batch[BATCH_HEADER_BYTES:], bytes_max)
        # What snappy makes has no bound but by its ratio.
        _check_records(records, count, max(bytes_max, 22 * len(packed)))
    read = [each for each in Batch(batch, bytes_max=_SMALL_BYTES) if not is_unread(each)]
    _check_records(read, count, max(_SMALL_BYTES, 22 * len(packed)))


def _check_records(records: Iterable[Any], count: int, bytes_max: int) -> None:
    next_offset, size = 0, 0
    for record in records:
        first = record.offset
        if isinstance(record, UnreadRecord):
            first -= record.records - 1
        assert next_offset <= first <= record.offset < count, record
        next_offset = record.offset + 1
        size += len(record.key or b"") + len(record.value or b"")
        size += sum(len(value or b"") for _, value in record.headers)
    assert size <= bytes_max, size
