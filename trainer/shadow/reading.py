"""Comparisons out of their topic, outside of any group."""

from collections.abc import Iterator
from datetime import datetime

from stream_detector.errors import RecordError
from stream_detector.kafka.bounded_reading import reading, records_of, spans_between
from stream_detector.settings.fields import Settings
from stream_detector.wire.comparisons import Comparison, read_comparison

__all__ = ["read_comparisons"]


def read_comparisons(settings: Settings, *, since: datetime) -> Iterator[Comparison | RecordError]:
    """What was compared from ``since`` up to the topic's end as it is at the start.

    In order of offset within each partition; an error in the place of what can't be read.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or a request.
    """
    with reading(settings, settings.shadow_topic) as consumer:
        topic = settings.shadow_topic_name
        for span in list(spans_between(consumer, topic, (since, None))):
            for records, _ in records_of(consumer, span):
                for record in records:
                    try:
                        comparison = read_comparison(record.value)
                    except RecordError as error:
                        yield error
                        continue
                    if comparison.compared_at >= since:
                        yield comparison
