"""Comparisons out of their topic, by kafka-python and outside of any group."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.comparisons import Comparison, read_comparison
from stream_detector.errors import RecordError, RetryableError
from stream_detector.kafka.admin import as_ours
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.topics import check_topic
from stream_detector.settings import Settings

__all__ = ["read_comparisons"]

_POLL_MS = 500
_QUIET_SECONDS = 60.0
"""After which reading gives up on the rest of what the topic holds."""


def read_comparisons(settings: Settings, *, since: datetime) -> Iterator[Comparison | RecordError]:
    """What was compared from ``since`` up to the topic's end as it is at the start.

    In order of offset within each partition; an error in the place of what can't be read.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or a request.
    """
    check_topic(settings, settings.shadow_topic, "READ")
    options = kafka_python_options(settings, KafkaConsumer) | {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
    }
    try:
        consumer = KafkaConsumer(**options)
        try:
            for record in _records(consumer, settings.topic(settings.shadow_topic), since):
                try:
                    comparison = read_comparison(record.value)
                except RecordError as error:
                    yield error
                    continue
                if comparison.compared_at >= since:
                    yield comparison
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error


def _records(consumer: Any, topic: str, since: datetime) -> Iterator[Any]:
    """The records written from ``since`` on."""
    partitions = [
        TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()
    ]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    moment = int(since.timestamp() * 1000)
    for partition, first in consumer.offsets_for_times(dict.fromkeys(partitions, moment)).items():
        consumer.seek(partition, ends[partition] if first is None else first.offset)
    unread = set(partitions)
    heard = time.monotonic()
    while True:
        # The position passes what is no record of anybody's, such as a transaction's mark.
        unread = {each for each in unread if consumer.position(each) < ends[each]}
        if not unread:
            return
        for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
            heard = time.monotonic()
            yield from (record for record in records if record.offset < ends[partition])
        if time.monotonic() - heard > _QUIET_SECONDS:
            raise RetryableError(
                f"Kafka gave no record of {topic} for {_QUIET_SECONDS:.0f} s though there are "
                "more: check its brokers"
            )
