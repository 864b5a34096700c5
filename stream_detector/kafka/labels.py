"""Labels into Kafka."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream_detector.errors import LabelError, TopicsError
from stream_detector.events import Label
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.rights import Part
from stream_detector.kafka.topics import topic_problems
from stream_detector.labels import is_feed, label_message
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
    """Write ``labels`` to their topics; back when all replicas in sync have them all.

    A label that names an analyst goes to the topic of analysts, others to that of feeds.
    ``on_written`` gets the number that they have, now and then.

    Returns where each lies, in order. After an error some may have been written; to write them
    once more does no harm, since the latest label of each text and source is the one that counts.

    Raises:
        LabelError: a feed is not among ``label_feeds``; nothing was written.
        TopicsError: a topic is missing or may not be written to.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a label.
    """
    numbers: dict[Part, list[int]] = {}
    for number, label in enumerate(labels):
        if is_feed(label) and settings.label_feeds and label.feed not in settings.label_feeds:
            raise LabelError(f"feed {label.feed!r} is not among label_feeds; nothing was written")
        numbers.setdefault("feed-labeller" if is_feed(label) else "labeller", []).append(number)
    if problems := [problem for part in numbers for problem in topic_problems(settings, part)]:
        raise TopicsError("; ".join(problems))
    found: dict[int, Written] = {}
    for part, of_part in numbers.items():
        name = settings.feed_labels_topic if part == "feed-labeller" else settings.labels_topic
        topic = settings.topic(name)
        with confirming_producer(settings, part) as producer:
            for start in range(0, len(of_part), _CONFIRMED_AT_ONCE):
                chosen = of_part[start : start + _CONFIRMED_AT_ONCE]
                messages = [label_message(labels[number]) for number in chosen]
                written = confirmed(
                    [producer.send(topic, key=key, value=value) for key, value, _ in messages]
                )
                for number, metadata in zip(chosen, written, strict=True):
                    found[number] = Written(topic, metadata.partition, metadata.offset)
                on_written(len(found))
    return [found[number] for number in range(len(labels))]
