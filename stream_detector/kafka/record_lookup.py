"""One record at a known place in Kafka, read without a group."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from stream_detector.errors import MissingRecordError, RetryableError
from stream_detector.kafka.admin import reached
from stream_detector.kafka.bounded_consumer import bound_records, is_unread
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.settings.fields import Settings

__all__ = ["RecordLookup", "record_lookup"]

_READ_SECONDS = 30.0


@contextmanager
def record_lookup(settings: Settings) -> Iterator["RecordLookup"]:
    """A ``RecordLookup`` for the block. Raises what kafka-python raises."""
    options = kafka_python_options(reached(settings), KafkaConsumer) | {
        "group_id": None,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "max_poll_records": 1,
    }
    with closing(KafkaConsumer(**options)) as consumer:
        bound_records(consumer, settings)
        yield RecordLookup(consumer)


class RecordLookup:
    """Reads single records. What a partition holds is asked once, with its first record."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._spans: dict[TopicPartition, tuple[int, int]] = {}

    def check(self, topic: str, partition: int, offset: int) -> None:
        """Whether the partition's first and last offset leave room for the record.

        Raises:
            MissingRecordError: they do not.
        """
        where = _place(topic, partition, offset)
        found = TopicPartition(topic, partition)
        if found not in self._spans:
            if partition not in (self._consumer.partitions_for_topic(topic) or ()):
                raise MissingRecordError(f"there is no {where}, not even the partition")
            first = self._consumer.beginning_offsets([found])[found]
            self._spans[found] = first, self._consumer.end_offsets([found])[found]
        first, end = self._spans[found]
        if offset < first:
            raise MissingRecordError(f"{where} has expired, the oldest record there is {first}")
        if offset >= end:
            raise MissingRecordError(f"{where} has not been written yet")

    def record(self, topic: str, partition: int, offset: int) -> Any:
        """The record, as kafka-python has it.

        Raises:
            MissingRecordError: there is none.
            RetryableError: Kafka does not give it.
        """
        self.check(topic, partition, offset)
        where = _place(topic, partition, offset)
        found = TopicPartition(topic, partition)
        if self._consumer.assignment() != {found}:
            self._consumer.assign([found])
        self._consumer.seek(found, offset)
        record = self._next_record(found)
        if record is None:
            raise RetryableError(f"{where} was not read within {_READ_SECONDS:.0f} s: try again")
        if is_unread(record):
            raise MissingRecordError(
                f"{where} can't be read: its batch is damaged, or decompresses to more than twice "
                "record_bytes_max"
            )
        if record.offset != offset:
            raise MissingRecordError(f"there is no {where} (compacted away, or never committed)")
        return record

    def _next_record(self, partition: TopicPartition) -> Any:
        deadline = time.monotonic() + _READ_SECONDS
        while time.monotonic() < deadline:
            if records := self._consumer.poll(timeout_ms=500, max_records=1).get(partition):
                return records[0]
        return None


def _place(topic: str, partition: int, offset: int) -> str:
    return f"record {offset} in partition {partition} of {topic}"
