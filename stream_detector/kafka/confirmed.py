"""A producer of kafka-python whose records are waited for: what commands write is in Kafka."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_detector.kafka.admin import as_ours, reached
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.rights import Part, rights_of
from stream_detector.settings.fields import Settings

__all__ = ["confirmed", "confirming_producer"]

_CONFIRMED_SECONDS = 150.0
"""Longer than the producer itself tries (two minutes): its own error comes first."""
_CLOSE_SECONDS = 5
_WAIT_TOLD_SECONDS = 5.0


@contextmanager
def confirming_producer(settings: Settings, part: Part, **options: Any) -> Iterator[Any]:
    """A ``KafkaProducer`` for the block, that asks all replicas in sync; closed at the end.

    ``options`` are its own, below the settings' ``kafka_options``; ``part`` says whose rights an
    error names.

    Raises:
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """
    options |= kafka_python_options(reached(settings), KafkaProducer) | {"acks": "all"}
    try:
        producer = KafkaProducer(**options)
        try:
            yield producer
        finally:
            producer.close(timeout=_CLOSE_SECONDS)
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings, rights=rights_of(part, settings)) from error


def confirmed(sent: Iterable[Any], *, on_wait: Callable[[], None] | None = None) -> list[Any]:
    """What Kafka says of each record that ``KafkaProducer.send`` took, once it has them all.

    ``on_wait`` is called from another thread, once, where that takes longer than 5 s.

    Raises:
        KafkaError: it refused one, or could not be asked.
    """
    timer = threading.Timer(_WAIT_TOLD_SECONDS, on_wait or (lambda: None))
    timer.daemon = True
    timer.start()
    try:
        return [future.get(timeout=_CONFIRMED_SECONDS) for future in sent]
    finally:
        timer.cancel()
