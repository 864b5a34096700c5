"""The records of a batch in Kafka's format since 0.11, bounded in memory, for any client.

A broker checks little of a batch, so that anyone who may write can stop a client for good: by
header names that are not UTF-8, offsets that contradict each other, bytes behind the compressed
data. Batches may also decompress to gigabytes. Here every record is yielded: as ``UnreadRecord`` if
it is damaged or too large, and all beyond ``UNREAD_RECORDS_MAX`` of these as one.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import cramjam

from stream_detector.events import RawRecord, UnreadRecord
from stream_detector.limits import DECOMPRESSED_BYTES_MAX, HEADERS_MAX, UNREAD_RECORDS_MAX

BATCH_HEADER_BYTES = 61
"""Size of a batch's header, before its records."""
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4

_USUAL_RATIO = 16
"""Logs compress to a fifth or a tenth; a batch beyond that is decompressed a second time."""
_OUTPUT_FULL = "failed to write whole buffer"
"""cramjam's message when the output is full."""
_GZIP_WBITS = 31
_GZIP_PIECE_BYTES = 4096
_SNAPPY_RATIO_MAX = 22
"""At best three bytes stand for 64, which bounds the size that a block may claim."""
_VARINT_BYTES = 10
_XERIAL, _XERIAL_BYTES = b"\x82SNAPPY\0", 16
"""The header of Java's snappy, before blocks with their lengths."""


class TooLargeError(Exception):
    """A batch is larger than the limit; ``beginning`` holds its bytes up to there."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(len(beginning))
        self.beginning = beginning


def decompressed_bytes_max(record_bytes_max: int) -> int:
    """The limit of a decompressed record batch, in bytes, for records of up to so many."""
    return max(DECOMPRESSED_BYTES_MAX, 2 * record_bytes_max)


def decompressed(codec: int, payload: bytes, bytes_max: int) -> bytes:
    """The bytes behind the header of a batch, whose attributes name the ``codec`` (0: none).

    Raises:
        TooLargeError: there are more than ``bytes_max``.
        Exception: they can't be decompressed; a dozen kinds, of as many libraries.
    """
    return _DECOMPRESS[codec](payload, bytes_max) if codec else payload


def records_of_batch(batch: Any, payload: bytes, bytes_max: int) -> Iterator[RawRecord]:
    """The records of a ``batch``, which has the client's attributes for the fields of the header.

    Records that lie in the first ``bytes_max`` bytes are read, up to one that contradicts itself;
    the others come unread.
    """
    is_whole = False
    try:
        body = decompressed(batch.compression_type, payload, bytes_max)
        is_whole = True
    except TooLargeError as error:
        body = error.beginning
    except Exception:  # noqa: BLE001 - see decompressed
        body = b""
    reader = _Reader(body)
    offset = batch.base_offset
    while length := reader.varint():
        end = reader.position + length
        if not reader.position < end <= len(body):
            break
        record = _record(reader, batch, end)
        if reader.position != end or not offset <= record.offset < batch.next_offset:
            break
        yield record
        offset = record.offset + 1
    else:
        if is_whole and reader.position == len(body):
            return  # A compacted topic lacks the records behind.
    one_by_one = min(offset + UNREAD_RECORDS_MAX, batch.next_offset)
    for unread in range(offset, one_by_one):
        yield UnreadRecord(unread)
    if one_by_one < batch.next_offset:
        yield UnreadRecord(batch.next_offset - 1, records=batch.next_offset - one_by_one)


class _Record(NamedTuple):
    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def with_last_headers(record: RawRecord) -> RawRecord:
    """``record`` with at most the last ``HEADERS_MAX`` of its headers."""
    headers = record.headers
    if len(headers) <= HEADERS_MAX:
        return record
    return _Record(
        record.offset, record.timestamp, record.key, record.value, headers[-HEADERS_MAX:]
    )


def _record(reader: "_Reader", batch: Any, end: int) -> _Record:
    # https://kafka.apache.org/documentation/#record
    reader.position += 1  # attributes, of which there are none
    timestamp = batch.first_timestamp + (reader.varint() or 0)
    offset = batch.base_offset + (reader.varint() or 0)
    key, value = reader.part(), reader.part()
    headers = deque(
        (
            ((reader.part() or b"").decode(errors="replace"), reader.part() or b"")
            # Each takes two bytes or more, whatever number the record claims.
            for _ in range(min(reader.varint() or 0, max(0, end - reader.position)))
        ),
        maxlen=HEADERS_MAX,
    )
    if batch.timestamp_type:  # the broker's time
        timestamp = batch.max_timestamp
    return _Record(offset, timestamp, key, value, list(headers))


class _Reader:
    """Reads Kafka's variable-length numbers, and parts that follow their length."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def varint(self) -> int | None:
        """The next number (zigzag); None at the end."""
        position = self.position
        if position < len(self._content) and (byte := self._content[position]) < 0x80:
            self.position += 1  # Most have one byte.
            return byte >> 1 ^ -(byte & 1)
        number = 0
        for place, byte in enumerate(self._content[position : position + _VARINT_BYTES]):
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                self.position += place + 1
                return number >> 1 ^ -(number & 1)
        return None

    def part(self) -> bytes | None:
        """The next part; None for Kafka's null."""
        length = self.varint()
        if length is None or length < 0:
            return None
        start = self.position
        self.position += length
        return self._content[start : self.position]


def _into_buffer(decompress_into: Any, payload: bytes, bytes_max: int) -> bytes:
    for size in (min(_USUAL_RATIO * len(payload), bytes_max), bytes_max):
        output = bytearray(size)
        try:
            length = decompress_into(payload, output)
        except cramjam.DecompressionError as error:
            if _OUTPUT_FULL not in str(error):
                raise
        else:
            return bytes(memoryview(output)[:length])
    raise TooLargeError(bytes(output))


def _gunzipped(payload: bytes, bytes_max: int) -> bytes:
    output = bytearray()
    position = 0
    while position < len(payload):  # Several gzip files in a row are one.
        try:
            content, position = _first_gzip_file(payload, position, bytes_max - len(output))
        except zlib.error:
            if not output:
                raise
            break  # The broker accepts other bytes behind the last gzip file.
        output += content
        if len(output) > bytes_max:
            raise TooLargeError(bytes(output[:bytes_max]))
    return bytes(output)


def _first_gzip_file(payload: bytes, position: int, bytes_max: int) -> tuple[bytes, int]:
    """The content of the gzip file at ``position``, up to ``bytes_max`` + 1 bytes, and its end."""
    decompressor = zlib.decompressobj(_GZIP_WBITS)
    content = bytearray()
    while position < len(payload) and not decompressor.eof and len(content) <= bytes_max:
        # zlib copies the bytes behind the end: for a megabyte of tiny files all of it each time.
        piece = payload[position : position + _GZIP_PIECE_BYTES]
        content += decompressor.decompress(piece, bytes_max + 1 - len(content))
        position += len(piece) - len(decompressor.unused_data)
    return bytes(content), position


def _unsnapped(payload: bytes, bytes_max: int) -> bytes:
    if not payload.startswith(_XERIAL):
        output = bytearray(_unsnapped_block(payload))
    else:
        output = bytearray()
        position = _XERIAL_BYTES
        # The broker accepts a truncated length behind the last block.
        while position + 4 <= len(payload) and len(output) <= bytes_max:
            start = position + 4
            position = start + int.from_bytes(payload[position:start], "big")
            output += _unsnapped_block(payload[start:position])
    if len(output) > bytes_max:
        raise TooLargeError(bytes(output[:bytes_max]))
    return bytes(output)


def _unsnapped_block(block: bytes) -> bytes:
    # The library allocates the size that a block claims, up to 4 GiB, before it reads the block,
    # and aborts the process if that fails.
    if cramjam.snappy.decompress_raw_len(block) > _SNAPPY_RATIO_MAX * len(block):
        raise ValueError("a block of snappy claims more bytes than it can hold")
    return bytes(cramjam.snappy.decompress_raw(block))


_DECOMPRESS: Mapping[int, Callable[[bytes, int], bytes]] = {
    GZIP: _gunzipped,
    SNAPPY: _unsnapped,
    LZ4: partial(_into_buffer, cramjam.lz4.decompress_into),
    ZSTD: partial(_into_buffer, cramjam.zstd.decompress_into),
}
