"""Record batches made by hand, which a broker takes and no client would make.

See https://kafka.apache.org/documentation/#messageformat and its Produce request (version 7).
"""

import gzip
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import cramjam
from aiokafka.record.util import calc_crc32c

__all__ = ["HOSTILE_BATCHES", "batch_of", "record_of", "send_batch"]

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
_PRODUCE, _VERSION = 0, 7
_ALL_REPLICAS = -1


def record_of(
    value: bytes,
    *,
    offset_delta: int = 0,
    headers: Sequence[tuple[bytes, bytes]] = (),
    length: int | None = None,
) -> bytes:
    """A record that says it has ``length`` bytes; None: as many as it has."""
    body = b"\0" + _varint(0) + _varint(offset_delta) + _varint(-1) + _part(value)
    body += _varint(len(headers)) + b"".join(_part(name) + _part(text) for name, text in headers)
    return _varint(len(body) if length is None else length) + body


def batch_of(
    records: bytes, count: int, *, codec: int = 0, compress: Callable[[bytes], Any] = bytes
) -> bytes:
    """A batch of ``count`` records, which ``compress`` makes its body of."""
    now = int(time.time() * 1000)
    content = struct.pack(">hiqqqhii", codec, count - 1, now, now, -1, -1, -1, count)
    content += bytes(compress(records))
    return struct.pack(">qiibI", 0, len(content) + 9, -1, 2, calc_crc32c(content)) + content


def send_batch(servers: str, topic: str, batch: bytes) -> None:
    """Write a batch to partition 0 of ``topic``; an error where the broker refuses it."""
    body = struct.pack(">hhih", _PRODUCE, _VERSION, 1, -1)  # The first request, of no client.
    body += struct.pack(">hhi", -1, _ALL_REPLICAS, 10_000)  # No transaction.
    body += struct.pack(">ih", 1, len(topic)) + topic.encode()
    body += struct.pack(">iii", 1, 0, len(batch)) + batch
    host, port = servers.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = connection.makefile("rb")
        (length,) = struct.unpack(">i", answer.read(4))
        content = answer.read(length)
    # Behind its number: one topic with its name, and one partition with its number.
    (error,) = struct.unpack_from(">h", content, 4 + 4 + 2 + len(topic) + 4 + 4)
    assert error == 0, f"the broker refuses the batch with error {error}"


def _part(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*encoded, number])


def _xerial(records: bytes) -> bytes:
    block = bytes(cramjam.snappy.compress_raw(records))
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block


HOSTILE_BATCHES: dict[str, Callable[[bytes], bytes]] = {
    "a header name that is not UTF-8": lambda value: batch_of(
        record_of(value, headers=[(b"\xff\xfe", b"v")]), 1
    ),
    "bytes behind gzip": lambda value: batch_of(
        record_of(value), 1, codec=GZIP, compress=lambda records: gzip.compress(records) + b"junk"
    ),
    "bytes behind snappy": lambda value: batch_of(
        record_of(value), 1, codec=SNAPPY, compress=lambda records: _xerial(records) + b"\0\0"
    ),
    "a record longer than it says": lambda value: batch_of(
        record_of(value, length=9), 1, codec=ZSTD, compress=cramjam.zstd.compress
    ),
    "an offset far away": lambda value: batch_of(record_of(value, offset_delta=1_000_000), 1),
    "the same offset again": lambda value: batch_of(record_of(value) * 3, 3),
    "100 MB": lambda _: batch_of(
        record_of(b'"' * 100_000_000), 1, codec=ZSTD, compress=cramjam.zstd.compress
    ),
}
"""Each makes a batch of a record's value: the first three of one record that can be read."""
