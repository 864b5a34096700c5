"""Records that commands write: a producer of kafka-python, and the wait until Kafka has them."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_detector.errors import FatalError, RetryableError
from stream_detector.kafka.admin import as_ours, reached
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.rights import Part, rights_of
from stream_detector.kafka.topics import check_topic
from stream_detector.settings.fields import Settings

_CONFIRMED_SECONDS = 150.0
"""Longer than the producer itself tries (two minutes), so that its own error comes first."""
_CLOSE_SECONDS = 5
_ON_WAIT_SECONDS = 5.0
_LINGER_MS = 5


@contextmanager
def confirming_producer(settings: Settings, part: Part, **options: Any) -> Iterator[Any]:
    """A ``KafkaProducer`` with ``acks=all`` for the block; closed at its end.

    The settings' ``kafka_options`` override ``options``. An error names the rights of ``part``.

    Raises:
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """
    options |= client_options(reached(settings), KafkaProducer) | {"acks": "all"}
    try:
        producer = KafkaProducer(**options)
        try:
            yield producer
        finally:
            producer.close(timeout=_CLOSE_SECONDS)  # The default waits for ever.
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings, rights=rights_of(part, settings)) from error


def confirmed(sent: Iterable[Any], *, on_wait: Callable[[], None] | None = None) -> list[Any]:
    """The metadata of each record that ``KafkaProducer.send`` took, once Kafka has them all.

    If that takes longer than 5 s, another thread calls ``on_wait`` once.

    Raises:
        KafkaError: it refused one, or did not answer.
    """
    timer = threading.Timer(_ON_WAIT_SECONDS, on_wait or (lambda: None))
    timer.daemon = True
    timer.start()
    try:
        return [future.get(timeout=_CONFIRMED_SECONDS) for future in sent]
    finally:
        timer.cancel()


def write_records(
    settings: Settings,
    values: Iterable[bytes],
    *,
    rate: float,
    on_written: Callable[[int, list[Any]], object],
    on_away: Callable[[str], object],
) -> str:
    """Write ``values`` to the first input topic, ``rate`` a second; returns the topic's name.

    Takes each of ``values`` when it is due, and returns when all in-sync replicas have all of them.
    About once a second ``on_written`` gets the number of records so far, and Kafka's metadata of
    the newest ones. While Kafka is away the producer retries for two minutes, and another thread
    calls ``on_away`` with the reason.

    Raises:
        TopicsError: the topic is missing, or may not be written.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """

    def report_if_away() -> None:
        try:
            reached(settings)
        except (RetryableError, FatalError) as error:
            on_away(str(error))

    topic = settings.input_topic_names[0]
    check_topic(settings, settings.input_topics[0], "WRITE")
    with confirming_producer(settings, "log-shipper", linger_ms=_LINGER_MS) as producer:
        producer.partitions_for(topic)  # Waits for metadata, so that no record does.
        sent: list[Any] = []
        count = 0
        for count, value in enumerate(_paced(values, rate), start=1):
            sent.append(producer.send(topic, value=value))
            if count % round(rate) == 0:
                on_written(count, confirmed(sent, on_wait=report_if_away))
                sent.clear()
        on_written(count, confirmed(sent, on_wait=report_if_away))
    return topic


def _paced(values: Iterable[bytes], rate: float) -> Iterator[bytes]:
    began = time.monotonic()
    for count, value in enumerate(values, start=1):
        yield value
        time.sleep(max((count + 1) / rate - (time.monotonic() - began), 0))
