"""Log records into Kafka at a steady rate, by the settings of all clients."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_detector.kafka.admin import as_ours
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.topics import check_topic
from stream_detector.settings import Settings

__all__ = ["write_records"]

_SECONDS_MAX = 150.0
"""Longer than the producer itself tries (two minutes): its own error comes first."""
_LINGER_MS = 5


def write_records(
    settings: Settings,
    values: Iterable[bytes],
    *,
    rate: float,
    on_written: Callable[[int], None],
) -> str:
    """Write ``values`` to the first input topic, ``rate`` a second.

    Back, with the topic's name, when all replicas in sync have them all. ``on_written`` gets the
    number that they have, about once a second.

    Raises:
        TopicsError: the topic is missing, or may not be written.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """
    topic = settings.input_topic_names[0]
    check_topic(settings, settings.input_topics[0], "WRITE")
    options = {"linger_ms": _LINGER_MS} | kafka_python_options(settings, KafkaProducer)
    try:
        producer = KafkaProducer(**options | {"acks": "all"})
        try:
            began = time.monotonic()
            sent: list[Any] = []
            for count, value in enumerate(values, start=1):
                time.sleep(max(count / rate - (time.monotonic() - began), 0))
                sent.append(producer.send(topic, value=value))
                if count % round(rate) == 0:
                    _wait_for(sent)
                    on_written(count)
            _wait_for(sent)
        finally:
            producer.close(timeout=5)
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error
    return topic


def _wait_for(sent: list[Any]) -> None:
    """Until Kafka has all of ``sent``, which is empty then."""
    for future in sent:
        future.get(timeout=_SECONDS_MAX)
    sent.clear()
