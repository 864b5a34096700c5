"""Counts and logs offsets that no detector committed, and what they passed over."""

import logging

from aiokafka import TopicPartition

from stream_detector.counted import counted
from stream_detector.metrics import Metrics
from stream_detector.offset_ranges import OffsetRange

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
            "%s, by a foreign consumer or by hand: which records before it were not scored is not "
            "known to this worker; `stream-detector replay --from %s:%d:FIRST-%d` scores them",
            found,
            topic,
            number,
            max(0, offset - 1),
        )
    elif offset > written:
        metrics.passed_over_records.labels(topic).inc(offset - written)
        logger.error(
            "%s: %s passed over and not scored; with the workers' settings this scores them: "
            "stream-detector replay --from %s",
            found,
            counted(offset - written, "record"),
            OffsetRange(topic, number, written, offset - 1),
        )
