"""What aiokafka makes of a fetch, with a bound on the memory that it takes.

aiokafka decompresses a record batch as a whole, however large it gets, and gives out any number of
bytes at once. Here a batch is decompressed up to a limit, and what it gives at once ends at
``CHUNK_BYTES_MAX``. Records beyond the first limit come as ``UnreadRecord``: none is lost, and
beyond ``UNREAD_RECORDS_MAX`` many are one. So do those that aiokafka refuses though a broker takes
them, at which it would stop.

Snappy makes at most 21 bytes of one, so it has no bound here. Nor have batches in the formats
before Kafka 0.11, which Kafka 4 neither takes nor gives.
"""

import sys
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import cramjam
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from stream_detector.events import RawRecord, UnreadRecord
from stream_detector.limits import (
    CHUNK_BYTES_MAX,
    DECOMPRESSED_BYTES_MAX,
    HEADER_MEMORY_BYTES,
    UNREAD_RECORDS_MAX,
)
from stream_detector.settings import Settings

__all__ = [
    "FetchedChunks",
    "RecordBatches",
    "RecordsAsDecoded",
    "bound_fetches",
    "decompressed_bytes_max",
]

_USUAL_RATIO = 16
"""Logs compress to a fifth or a tenth; what compresses better is decompressed a second time."""
_OUTPUT_FULL = "failed to write whole buffer"
"""What cramjam says of an output that has no room for more."""
_GZIP_WBITS = 31
_VARINT_BYTES = 10
_LENGTH_END = 12
"""Of a batch: its first offset and its length, which counts the bytes behind."""
_HEADER_BYTES = 61
"""Of a batch, before its records."""
_DECODERS = {1: "gzip_decode", 2: "snappy_decode", 3: "lz4_decode", 4: "zstd_decode"}


class _TooLargeError(Exception):
    """A batch has more bytes than are decompressed; ``beginning`` has those that are."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(len(beginning))
        self.beginning = beginning


def decompressed_bytes_max(settings: Settings) -> int:
    """What a record batch may be when it is decompressed, in bytes."""
    return max(DECOMPRESSED_BYTES_MAX, 2 * settings.record_bytes_max)


def bound_fetches(decompressed_bytes_max: int) -> None:
    """Have all consumers of this process use what is defined here, with this limit of a batch."""
    fetcher.PartitionRecords = RecordsAsDecoded
    fetcher.FetchResult = FetchedChunks
    fetcher.MemoryRecords = RecordBatches
    # The compiled module of aiokafka looks its decoders up by name at each call.
    decoders = sys.modules[DefaultRecordBatch.__module__]
    for name, decoder in (
        ("zstd_decode", partial(_decompressed, cramjam.zstd.decompress_into)),
        ("lz4_decode", partial(_decompressed, cramjam.lz4.decompress_into)),
        ("gzip_decode", _gunzipped),
    ):
        setattr(decoders, name, partial(decoder, bytes_max=decompressed_bytes_max))


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
                yield record
            else:
                return
        except _TooLargeError as error:
            body = error.beginning
        except Exception:  # noqa: BLE001 - a dozen kinds, of as many libraries
            body = self._body()
        else:
            body = self._body()
        # From the batch's beginning: aiokafka passes over the offsets that it has given.
        yield from _read_as_far_as_it_goes(batch, body)

    def _body(self) -> bytes:
        """The records, decompressed; nothing where they can't be."""
        body = self._content[_HEADER_BYTES:]
        name = _DECODERS.get(self._batch.compression_type)
        if name is None:
            return body
        try:
            return bytes(getattr(sys.modules[DefaultRecordBatch.__module__], name)(body))
        except _TooLargeError as error:
            return error.beginning
        except Exception:  # noqa: BLE001 - as above
            return b""


class _Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def _read_as_far_as_it_goes(batch: Any, beginning: bytes) -> Iterator[RawRecord]:
    """The records that are whole in the ``beginning`` of a batch; the others unread.

    aiokafka's own reader does not look where the bytes end, and refuses header names that are not
    UTF-8. From a record on that contradicts itself, none is read.
    """
    reader = _Reader(beginning)
    offset = batch.base_offset
    while length := reader.varint():
        end = reader.position + length
        if not reader.position < end <= len(beginning):
            break
        record = _record(reader, batch, end)
        if reader.position != end or not offset <= record.offset < batch.next_offset:
            break
        yield record
        offset = record.offset + 1
    one_by_one = min(offset + UNREAD_RECORDS_MAX, batch.next_offset)
    for unread in range(offset, one_by_one):
        yield UnreadRecord(unread)
    if one_by_one < batch.next_offset:
        yield UnreadRecord(batch.next_offset - 1, records=batch.next_offset - one_by_one)


def _record(reader: "_Reader", batch: Any, end: int) -> _Record:
    # https://kafka.apache.org/documentation/#record
    reader.position += 1  # attributes, of which there are none
    timestamp = batch.first_timestamp + (reader.varint() or 0)
    offset = batch.base_offset + (reader.varint() or 0)
    key, value = reader.part(), reader.part()
    headers = [
        ((reader.part() or b"").decode(errors="replace"), reader.part() or b"")
        # Each takes two bytes or more, whatever their number is said to be.
        for _ in range(min(reader.varint() or 0, max(0, end - reader.position)))
    ]
    if batch.timestamp_type:  # the broker's time
        timestamp = batch.max_timestamp
    return _Record(offset, timestamp, key, value, headers)


class _Reader:
    """Reads Kafka's variable-length numbers, and parts that follow their length."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def varint(self) -> int | None:
        """The next number (zigzag); None where the bytes end."""
        number = 0
        for place, byte in enumerate(self._content[self.position : self.position + _VARINT_BYTES]):
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                self.position += place + 1
                return number >> 1 ^ -(number & 1)
        return None

    def part(self) -> bytes | None:
        """The next part; None where Kafka has null."""
        length = self.varint()
        if length is None or length < 0:
            return None
        start = self.position
        self.position += length
        return self._content[start : self.position]


def _decompressed(decompress_into: Any, payload: bytes, *, bytes_max: int) -> bytes:
    for size in (min(_USUAL_RATIO * len(payload), bytes_max), bytes_max):
        output = bytearray(size)
        try:
            length = decompress_into(payload, output)
        except cramjam.DecompressionError as error:
            if _OUTPUT_FULL not in str(error):
                raise
        else:
            return bytes(memoryview(output)[:length])
    raise _TooLargeError(bytes(output))


def _gunzipped(payload: bytes, *, bytes_max: int) -> bytes:
    output = b""
    while payload:  # Several gzip files in a row are one.
        decompressor = zlib.decompressobj(_GZIP_WBITS)
        try:
            output += decompressor.decompress(payload, bytes_max + 1 - len(output))
        except zlib.error:
            if not output:
                raise
            break  # The broker takes what is no gzip file behind the last one.
        if len(output) > bytes_max:
            raise _TooLargeError(output[:bytes_max])
        payload = decompressor.unused_data
    return output
