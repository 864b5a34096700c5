"""Labels into Kafka."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream_detector.errors import TopicsError
from stream_detector.events import Label
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.topics import topic_problems
from stream_detector.labels import label_message
from stream_detector.settings import Settings

__all__ = ["Written", "write_labels"]


class Written(NamedTuple):
    """Where a label lies in Kafka."""

    topic: str
    partition: int
    offset: int


_CONFIRMED_AT_ONCE = 5000
"""Labels whose confirmation is waited for together; the number done is told after each."""


def write_labels(
    settings: Settings,
    labels: Sequence[Label],
    *,
    on_written: Callable[[int], object] = lambda _: None,
) -> list[Written]:
    """Write ``labels`` to the topic of labels; back when all replicas in sync have them all.

    ``on_written`` gets the number that they have, now and then.

    Returns where each lies, in order. After an error some may have been written; to write them
    once more does no harm, since the latest label of each text and source is the one that counts.

    Raises:
        TopicsError: the topic is missing or may not be written to.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a label.
    """
    if problems := topic_problems(settings, "labeller"):
        raise TopicsError("; ".join(problems))
    topic = settings.topic(settings.labels_topic)
    with confirming_producer(settings, "labeller") as producer:
        found = []
        for start in range(0, len(labels), _CONFIRMED_AT_ONCE):
            messages = map(label_message, labels[start : start + _CONFIRMED_AT_ONCE])
            found += confirmed(
                [producer.send(topic, key=key, value=value) for key, value, _ in messages]
            )
            on_written(len(found))
    return [Written(topic, metadata.partition, metadata.offset) for metadata in found]
