"""Record batches made by hand, as a broker takes them and no client would write them."""

import asyncio
import itertools
import struct
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

__all__ = ["produce_raw", "raw_batch", "raw_record", "varint"]

_ATTRIBUTES_AND_NUMBERS = ">hiqqqhii"
_HEAD = ">qiibI"
_BEHIND_LENGTH = 9
"""Bytes of the head that its length counts."""


def varint(number: int) -> bytes:
    """Kafka's variable-length number: zigzag, seven bits a byte."""
    left = ((number << 1) ^ (number >> 63)) & (2**64 - 1)
    written = bytearray()
    while left > 0x7F:
        written.append(0x80 | left & 0x7F)
        left >>= 7
    return bytes([*written, left])


def raw_record(
    value: bytes,
    *,
    offset_delta: int = 0,
    length: int | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """A record without key, which claims to have ``length`` bytes.

    https://kafka.apache.org/documentation/#record
    """
    body = b"\0" + varint(0) + varint(offset_delta) + varint(-1) + varint(len(value)) + value
    body += varint(len(headers))
    for part in itertools.chain.from_iterable(headers):
        body += varint(len(part)) + part
    return varint(len(body) if length is None else length) + body


def raw_batch(body: bytes, count: int, *, codec: int = 0) -> bytes:
    """A batch of ``count`` records, which ``body`` holds, compressed by ``codec``.

    https://kafka.apache.org/documentation/#recordbatch
    """
    now = int(time.time() * 1000)
    checked = struct.pack(_ATTRIBUTES_AND_NUMBERS, codec, count - 1, now, now, -1, -1, -1, count)
    checked += body
    return (
        struct.pack(_HEAD, 0, len(checked) + _BEHIND_LENGTH, -1, 2, calc_crc32c(checked)) + checked
    )


def produce_raw(servers: str, topic: str, batches: Sequence[bytes]) -> list[int]:
    """Write ``batches`` to partition 0, in order; returns the offset at which each begins.

    Raises:
        aiokafka.errors.KafkaError: the broker refuses one.
    """
    return asyncio.run(_produce_raw(servers, topic, batches))


async def _produce_raw(servers: str, topic: str, batches: Sequence[bytes]) -> list[int]:
    offsets = []
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for batch in batches:
            builder = producer.create_batch()
            builder.append(key=None, value=b"", timestamp=None)
            builder.close()
            # What the builder made goes out no more.
            builder._buffer = bytearray(batch)
            builder._build = lambda batch=batch: bytearray(batch)
            written = await (await producer.send_batch(builder, topic, partition=0))
            offsets.append(written.offset)
    return offsets
