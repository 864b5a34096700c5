"""Topics read by kafka-python outside of any group: from one moment up to another, then no more."""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.errors import RetryableError
from stream_detector.kafka.admin import as_ours, reached
from stream_detector.kafka.bounded_consumer import bound_records
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.topics import check_topic
from stream_detector.settings.fields import Settings

__all__ = ["POLL_MS", "QUIET_SECONDS", "Span", "reading", "records_of", "spans_between"]

POLL_MS = 500
QUIET_SECONDS = 60.0
"""After which reading gives up on the rest of what the topic holds."""
_BATCH_RECORDS = 5_000


class Span(NamedTuple):
    """Records of a partition, from an offset up to another one."""

    partition: TopicPartition
    start: int
    end: int


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[Any]:
    """A consumer of no group for the block, for ``topic`` as the settings name it.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or a request.
    """
    check_topic(settings, topic, "READ")
    options = kafka_python_options(reached(settings), KafkaConsumer) | {
        "group_id": None,
        "enable_auto_commit": False,
        # What expires before it is read is passed over, not all that is left.
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
    }
    try:
        with closing(KafkaConsumer(**options)) as consumer:
            bound_records(consumer, settings)
            yield consumer
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error


def spans_between(consumer: Any, topic: str, times: Sequence[datetime | None]) -> Iterator[Span]:
    """What each partition of ``topic`` has between each two of the rising ``times``.

    In order of partition, then of offset; None is the end that the topic has now.
    """
    numbers = consumer.partitions_for_topic(topic)
    partitions = [TopicPartition(topic, number) for number in sorted(numbers or ())]
    ends = consumer.end_offsets(partitions)
    bounds = [_offsets_at(consumer, moment, ends) for moment in times]
    for partition in partitions:
        for first, last in itertools.pairwise(bounds):
            if first[partition] < last[partition]:
                yield Span(partition, first[partition], last[partition])


def records_of(consumer: Any, span: Span) -> Iterator[tuple[list[Any], int]]:
    """The records of a span batch by batch, each with how many offsets are read by then.

    Raises:
        RetryableError: Kafka gives nothing for a minute though there is more.
    """
    consumer.assign([span.partition])
    consumer.seek(span.partition, span.start)
    heard = time.monotonic()
    position = span.start
    while position < span.end:
        found = consumer.poll(timeout_ms=POLL_MS, max_records=_BATCH_RECORDS)
        records = found.get(span.partition, [])
        # Offsets without a record (of a transaction's end, or expired meanwhile) are passed over.
        reached = consumer.position(span.partition, timeout_ms=POLL_MS) or position
        if reached > position:
            heard, position = time.monotonic(), reached
            within = [record for record in records if record.offset < span.end]
            yield within, min(position, span.end) - span.start
        elif time.monotonic() - heard > QUIET_SECONDS:
            raise RetryableError(
                f"Kafka gave nothing for {QUIET_SECONDS:.0f} s from partition "
                f"{span.partition.partition} of {span.partition.topic}, where there is more: check "
                "its brokers"
            )


def _offsets_at(
    consumer: Any, moment: datetime | None, ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The first offset of each partition written at ``moment`` or later, or else its end."""
    if moment is None:
        return ends
    milliseconds = int(moment.timestamp() * 1000)
    found = consumer.offsets_for_times(dict.fromkeys(ends, milliseconds))
    return {
        partition: end if found[partition] is None else found[partition].offset
        for partition, end in ends.items()
    }
