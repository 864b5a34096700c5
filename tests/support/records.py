"""Records into and out of topics, fast, for tests: 50,000 take about a second."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from kafka import KafkaAdminClient, errors

__all__ = [
    "NotUtf8",
    "Record",
    "committed_offsets",
    "each_record",
    "end_offsets",
    "end_offsets_by",
    "last_record",
    "open_consumer",
    "produce",
    "produce_batch",
    "read_all",
]

_TIMEOUT_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_TRY_AGAIN = frozenset(
    {
        # A broker has just gone, and its partitions have no new leader yet.
        KafkaError._DESTROY_BROKER,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


class NotUtf8(str):
    """A header's name for kafka-python's producer, which becomes bytes that are not UTF-8."""

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        return b"\xff\xfe"


class Record(NamedTuple):
    """A record as it lies in the topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def produce(
    bootstrap_servers: str,
    topic: str,
    values: Iterable[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    partition: int | None = None,
    codec: str = "none",
    headers: Sequence[tuple[str, bytes]] = (),
    broker_may_fail: bool = False,
) -> list[tuple[int, int]]:
    """Write ``values`` and wait until Kafka has them all.

    ``codec`` is ``none``, ``gzip``, ``snappy``, ``lz4`` or ``zstd``. Without ``keys`` and
    ``partition`` records are spread over the partitions. Returns (partition, offset) of each
    value, in the order of ``values``. Raises ``AssertionError`` if one was not delivered.

    With ``broker_may_fail`` each value is written once and in order even then. That needs a
    producer id of Kafka, and librdkafka asks for it only after half a second.
    """
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "log_level": 2,
            "compression.type": codec,
            "acks": "all",
            "enable.idempotence": broker_may_fail,
            "linger.ms": 5,
            "batch.num.messages": 1000,
            "sticky.partitioning.linger.ms": 0,
            "queue.buffering.max.messages": 1_000_000,
            "message.max.bytes": 2_000_000,
        }
    )
    positions: dict[int, tuple[int, int]] = {}
    failures: list[KafkaError] = []

    def delivered(index: int, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)
        else:
            positions[index] = (message.partition(), message.offset())

    count = 0
    for index, value in enumerate(values):
        producer.produce(
            topic,
            value,
            key=keys[index] if keys else None,
            partition=-1 if partition is None else partition,
            headers=list(headers),
            on_delivery=lambda error, message, index=index: delivered(index, error, message),
        )
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    left = producer.flush(_TIMEOUT_SECONDS)
    assert not failures, f"{len(failures)} records were refused, the first with: {failures[0]}"
    assert left == 0, f"{left} records were not delivered within {_TIMEOUT_SECONDS:g} s"
    return [positions[index] for index in range(count)]


def produce_batch(
    bootstrap_servers: str, topic: str, values: Sequence[bytes], *, partition: int
) -> list[tuple[int, int]]:
    """Write ``values`` as one record batch in zstd, whatever its size before; as ``produce``."""

    async def write() -> int:
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            compression_type="zstd",
            max_batch_size=1 << 30,
        )
        await producer.start()
        try:
            batch = producer.create_batch()
            for value in values:
                batch.append(key=None, value=value, timestamp=int(time.time() * 1000))
            return int(
                (await (await producer.send_batch(batch, topic, partition=partition))).offset
            )
        finally:
            await producer.stop()

    first = asyncio.run(write())
    return [(partition, first + number) for number in range(len(values))]


def read_all(bootstrap_servers: str, topic: str) -> list[Record]:
    """As ``each_record``, in a list."""
    return list(each_record(bootstrap_servers, topic))


def each_record(bootstrap_servers: str, topic: str) -> Iterator[Record]:
    """All records of ``topic`` up to the ends its partitions have when they are reached.

    In order of offset within a partition. Only committed transactions are read.
    """
    consumer = open_consumer(bootstrap_servers, {"enable.partition.eof": True})
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    try:
        partitions = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
        assert partitions, f"topic {topic} is not there"
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        unfinished = set(partitions)
        while unfinished:
            # It returns what there is after so many seconds, full or not.
            messages = consumer.consume(10_000, timeout=0.1)
            assert messages or time.monotonic() < deadline, f"{topic} does not come to an end"
            for message in messages:
                error = message.error()
                if error is None:
                    deadline = time.monotonic() + _TIMEOUT_SECONDS
                    yield _record(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    unfinished.discard(message.partition())
                else:
                    raise AssertionError(f"{topic} could not be read: {error}")
    finally:
        consumer.close()


def end_offsets(bootstrap_servers: str, topic: str) -> dict[tuple[str, int], int]:
    """The next offset of each (topic, partition); waits for a new topic's leaders."""
    consumer = open_consumer(bootstrap_servers)
    try:
        return end_offsets_by(consumer, topic)
    finally:
        consumer.close()


def end_offsets_by(consumer: Consumer, topic: str) -> dict[tuple[str, int], int]:
    """As ``end_offsets``, asked through a client that is kept."""
    partitions = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic].partitions
    return {(topic, number): _end_offset(consumer, topic, number) for number in partitions}


def _end_offset(consumer: Consumer, topic: str, partition: int) -> int:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            offsets = consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_ANSWER_SECONDS
            )
            return int(offsets[1])
        except KafkaException as error:
            if error.args[0].code() not in _TRY_AGAIN or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def committed_offsets(bootstrap_servers: str, group: str) -> dict[tuple[str, int], int]:
    """What ``group`` has committed, by (topic, partition); a partition without is left out.

    Raises ``KafkaError`` of kafka-python where the group's coordinator does not answer in time.
    """
    # Not by librdkafka: its AdminClient crashes the process where the coordinator has just moved,
    # since it then asks the consumer group, which it does not have, to look for another.
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            with KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(",")) as client:
                offsets = client.list_group_offsets(group)[group]
        except errors.KafkaError as error:
            if not error.retriable or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return {
                (partition.topic, partition.partition): committed.offset
                for partition, committed in offsets.items()
                if committed.offset >= 0
            }


def last_record(bootstrap_servers: str, topic: str, partition: int) -> Record:
    """The newest record of a partition, without those before it."""
    end = end_offsets(bootstrap_servers, topic)[topic, partition]
    consumer = open_consumer(bootstrap_servers)
    try:
        consumer.assign([TopicPartition(topic, partition, end - 1)])
        (message,) = consumer.consume(1, timeout=_TIMEOUT_SECONDS)
        return _record(message)
    finally:
        consumer.close()


def open_consumer(bootstrap_servers: str, options: dict[str, object] | None = None) -> Consumer:
    """A client that joins no group; the caller closes it."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "log_level": 2,
            # Needed by the library, never joined: partitions are assigned by hand.
            "group.id": "tests-read",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            **(options or {}),
        }
    )


def _record(message: Message) -> Record:
    partition, offset, topic = message.partition(), message.offset(), message.topic()
    assert topic is not None and partition is not None and offset is not None
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=list(message.headers() or []),
    )
