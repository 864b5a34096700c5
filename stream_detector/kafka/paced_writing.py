"""Log records into Kafka at a steady rate, by the settings of all clients."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from stream_detector.errors import FatalError, RetryableError
from stream_detector.kafka.admin import reached
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.topics import check_topic
from stream_detector.settings.fields import Settings

__all__ = ["write_records"]

_LINGER_MS = 5


def write_records(
    settings: Settings,
    values: Iterable[bytes],
    *,
    rate: float,
    on_written: Callable[[int], None],
    on_away: Callable[[str], None],
) -> str:
    """Write ``values`` to the first input topic, ``rate`` a second.

    Back, with the topic's name, when all replicas in sync have them all. ``on_written`` gets the
    number that they have, about once a second. ``on_away`` gets, from another thread, what keeps
    from Kafka where it went away; it is tried again for two minutes.

    Raises:
        TopicsError: the topic is missing, or may not be written.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """

    def tell_if_away() -> None:
        try:
            reached(settings)
        except (RetryableError, FatalError) as error:
            on_away(str(error))

    topic = settings.input_topic_names[0]
    check_topic(settings, settings.input_topics[0], "WRITE")
    with confirming_producer(settings, "log-shipper", linger_ms=_LINGER_MS) as producer:
        began = time.monotonic()
        sent: list[Any] = []
        for count, value in enumerate(values, start=1):
            time.sleep(max(count / rate - (time.monotonic() - began), 0))
            sent.append(producer.send(topic, value=value))
            if count % round(rate) == 0:
                confirmed(sent, on_wait=tell_if_away)
                sent.clear()
                on_written(count)
        confirmed(sent, on_wait=tell_if_away)
    return topic
