"""Records of kafka-python, bounded in memory whatever was written: batches and records alike.

Kafka limits what a batch takes compressed. Unpacked it may be 30,000 times as large, and
kafka-python unpacks it whole. Here a batch is unpacked up to ``BATCH_BYTES_MAX``, a record comes
with what is kept of it, and of its headers, which may be millions, with its signature alone.
"""

from typing import Any

from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from stream_detector.kafka.bounded_consumer import use_batches
from stream_detector.kafka.record_batches import TooLargeError, decompressed
from stream_detector.wire.label_signatures import SIGNATURE, SIGNATURE_BYTES

_HEADERS_READ = 100
"""Of a record, to find its signature: a quarter of a million fit into one, and take a second."""

BATCH_BYTES_MAX = 32 * 1024 * 1024
"""Of a batch when it is unpacked. Clients fill batches of a megabyte and compress them then; only
one that was made to be large reaches this."""

RECORD_BYTES_MAX = 512 * 1024
"""Of a record. The longest label, its URL of 65,536 characters escaped in JSON, has 400 KB."""

KEPT_BYTES = 64 * 1024
"""Of key and of value of a record above that."""

KEY_BYTES = "key-bytes"
VALUE_BYTES = "value-bytes"
"""Headers of a record above ``RECORD_BYTES_MAX``: how long its key and its value were."""
REST_OF_BATCH_FROM = "rest-of-batch-from"
"""Header of the one record, without key and value, that stands for what a batch holds beyond
``BATCH_BYTES_MAX``, or behind damage: the offset of the first; the record has that of the last."""


def bound_batches(consumer: Any) -> None:
    """Let a ``KafkaConsumer``, which has read nothing yet, give bounded records only.

    Of the batch format of Kafka 0.11 and later; older ones do not come from today's brokers.
    """
    use_batches(consumer, _Batch)


class _DamagedError(Exception):
    """A record contradicts itself, or its batch: a broker looks at few of its numbers."""


class _Batch(DefaultRecordBatch):  # type: ignore[misc] # kafka-python has no types
    """A batch that unpacks itself up to the bound, and up to what is damaged."""

    _buffer: Any
    _decompressed: bool
    _next_record_index: int
    _pos: int

    def __init__(self, buffer: Any) -> None:
        super().__init__(buffer)
        self._next_offset = self.base_offset

    def _maybe_uncompress(self) -> None:
        if self._decompressed:
            return
        packed = bytes(memoryview(self._buffer)[self._pos :])
        try:
            unpacked = decompressed(self.compression_type, packed, BATCH_BYTES_MAX)
        except TooLargeError as error:
            unpacked = error.beginning
        except Exception:  # noqa: BLE001 - a dozen kinds, of as many libraries
            unpacked = b""
        self._buffer = bytearray(unpacked)
        self._pos = 0
        self._decompressed = True

    def __next__(self) -> Any:
        if self.is_control_batch:
            return super().__next__()
        if self._next_record_index >= self._num_records:
            raise StopIteration  # kafka-python stops for good at bytes behind the last record.
        try:
            record = self._bounded()
        except (_DamagedError, IndexError, ValueError):  # It ends, or a number in it does not.
            self._next_record_index = self._num_records
            if self._next_offset > self.last_offset:
                raise StopIteration from None  # All offsets of the batch were given.
            return self._rest()
        self._next_offset = record.offset + 1
        return record

    next = __next__

    def _rest(self) -> DefaultRecord:
        headers = [(REST_OF_BATCH_FROM, b"%d" % self._next_offset)]
        return DefaultRecord(
            0, self.last_offset, self.max_timestamp, self.timestamp_type, None, None, headers
        )

    def _bounded(self) -> Any:
        # See DefaultRecordBatch._read_msg, which makes an object of each header, and refuses names
        # of headers that are not UTF-8, though a broker takes them.
        length, start = decode_varint(self._buffer, self._pos)
        is_large = length > RECORD_BYTES_MAX
        kept_bytes = KEPT_BYTES if is_large else length
        buffer = self._buffer
        _, position = decode_varint(buffer, start)  # Attributes.
        after_first, position = decode_varint(buffer, position)
        is_appended = self.timestamp_type == self.LOG_APPEND_TIME
        timestamp = self.max_timestamp if is_appended else self.first_timestamp + after_first
        offset_delta, position = decode_varint(buffer, position)
        key, key_bytes, position = _kept(buffer, position, kept_bytes)
        value, value_bytes, position = _kept(buffer, position, kept_bytes)
        end, offset = start + length, self.base_offset + offset_delta
        if not position < end <= len(buffer) or not self._next_offset <= offset <= self.last_offset:
            raise _DamagedError
        self._pos = end
        self._next_record_index += 1
        return DefaultRecord(
            length,
            offset,
            timestamp,
            self.timestamp_type,
            key,
            value,
            [(KEY_BYTES, b"%d" % key_bytes), (VALUE_BYTES, b"%d" % value_bytes)]
            if is_large
            else _signature(buffer, position, end),
        )


def _kept(buffer: bytearray, position: int, bytes_max: int) -> tuple[bytes | None, int, int]:
    """What is kept of a part of a record, its length, and where the next one begins."""
    length, start = decode_varint(buffer, position)
    if length < 0:
        return None, 0, start
    return bytes(buffer[start : start + min(length, bytes_max)]), length, start + length


def _signature(buffer: bytearray, position: int, end: int) -> list[tuple[str, bytes]]:
    """Of the first headers between ``position`` and ``end`` the last that may be a signature."""
    found: list[tuple[str, bytes]] = []
    left, position = decode_varint(buffer, position)
    left = min(left, _HEADERS_READ)
    while left > 0 and position < end:
        name, _, position = _kept(buffer, position, end)
        value, _, position = _kept(buffer, position, end)
        if name == SIGNATURE.encode() and value is not None and len(value) == SIGNATURE_BYTES:
            found = [(SIGNATURE, value)]
        left -= 1
    return found
