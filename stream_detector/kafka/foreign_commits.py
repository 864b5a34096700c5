"""Counts and logs offsets that no detector committed, and what they passed over."""

import logging

from aiokafka import TopicPartition

from stream_detector.kafka.offset_ranges import OffsetRange
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

__all__ = ["tell_foreign_commit"]

logger = logging.getLogger(__name__)


def tell_foreign_commit(
    metrics: Metrics, partition: TopicPartition, written: int | None, offset: int
) -> None:
    """As ``positions.OnForeignCommit``, with where to count; may be called from any thread."""
    topic, number = partition
    if offset == 0:
        logger.info("%s:%d was set back to its beginning: all of it is scored", topic, number)
        return
    metrics.foreign_commits.labels(topic).inc()
    found = f"offset {offset} of {topic}:{number} was committed by no detector"
    if written is None:
        logger.warning(
            "%s, by a foreign consumer or by hand: this worker does not know whether the records "
            "before it were scored; where they were not, `stream-detector replay --from "
            "%s:%d:FIRST-%d` does it, FIRST being the first of them",
            found,
            topic,
            number,
            offset - 1,
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
