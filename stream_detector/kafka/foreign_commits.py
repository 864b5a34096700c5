"""Counts and logs offsets that no detector committed, and what they passed over."""

import logging

from aiokafka import TopicPartition

from stream_detector.counted import counted
from stream_detector.metrics import Metrics

__all__ = ["tell_foreign_commit"]

logger = logging.getLogger(__name__)


def tell_foreign_commit(
    metrics: Metrics, partition: TopicPartition, written: int | None, offset: int
) -> None:
    """As ``positions.OnForeignCommit``, with where to count; may be called from any thread."""
    topic, number = partition
    metrics.foreign_commits.labels(topic).inc()
    found = f"offset {offset} of {topic}:{number} was committed by no detector"
    if written is None:
        logger.warning(
            "%s, by a foreign consumer or by hand: how many records before it were not scored is "
            "not known to this worker",
            found,
        )
    elif offset > written:
        metrics.passed_over_records.labels(topic).inc(offset - written)
        logger.error(
            "%s: %s passed over, %s:%d:%d-%d, and not scored; to score them stop all workers, set "
            "the group's offset to %d (kafka-consumer-groups.sh --reset-offsets), and start them",
            found,
            counted(offset - written, "record"),
            topic,
            number,
            written,
            offset,
            written,
        )
