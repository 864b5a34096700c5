"""Where a worker starts to read its assigned partitions, and which topic a commit belongs to.

A commit carries the identity of its topic (``topic_identity``). Without it, an offset of a deleted
topic could lie within the topic created in its place, and all records before it would be skipped.
An offset without an identity does not come from a detector, but from a foreign consumer or from
somebody who set it by hand.
"""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream_detector.kafka.leaders import leader_of
from stream_detector.kafka.offset_ranges import OffsetRange
from stream_detector.kafka.retry import back_off, is_retriable
from stream_detector.kafka.topic_identity import (
    SeenTopic,
    is_identity,
    is_of_another_topic,
    seen_topics,
)
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

_CLAIM_SECONDS = 5.0
_END_SECONDS = 5.0
"""How long a leader may take to answer before another one is looked for."""


class Positions:
    """Seeks after each rebalance. All of it runs in the consumer's thread."""

    def __init__(self, *, at_end: bool, metrics: Metrics) -> None:
        """``at_end``: a group without offsets begins at the current ends of the partitions."""
        self._at_end = at_end
        self._metrics = metrics
        self._written: dict[TopicPartition, OffsetAndMetadata] = {}
        """The last commits of detectors, as far as this worker knows."""
        self._topics: Mapping[str, SeenTopic] = {}
        """The topics at the last seek, which reads and commits belong to."""
        self._first: Mapping[str, SeenTopic] = {}
        """The topics at the first seek: a new group skips no records of any other topic."""
        self._found: dict[str, str] = {}
        """Identity by topic of those found to have replaced another since the last seek."""

    async def seek(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Seek in all assigned partitions; returns the committed offsets that still count."""
        partitions = list(consumer.assignment())
        self._topics = await _topics_once_kafka_answers(consumer)
        self._first = self._first or self._topics
        committed: dict[TopicPartition, int] = {}
        foreign: dict[TopicPartition, OffsetAndMetadata] = {}
        found = await consumer._coordinator.fetch_committed_offsets(partitions)
        for partition in partitions:
            if partition in found and not self._is_stale(partition, found[partition]):
                offset = committed[partition] = found[partition].offset
                if self._is_foreign(partition, found[partition]):
                    written = self._written_before(partition)
                    report_foreign_commit(self._metrics, partition, written, offset)
                    foreign[partition] = self.commit(partition, offset)
            elif partition in found or (self._at_end and self._is_new(partition)):
                offset = 0
            elif self._at_end:
                end = await _end(consumer, partition)
                if end is None:
                    # aiokafka asks for it when there is a leader; until then nothing is written.
                    consumer._fetcher.request_offset_reset([partition], OffsetResetStrategy.LATEST)
                    continue
                offset = end
            else:
                continue  # aiokafka goes to the beginning by itself.
            # Seek in any case: aiokafka may be about to go to the committed offset by itself.
            consumer._fetcher.seek_to(partition, offset)
        self.note(found)
        await _claim(consumer, foreign)
        return committed

    def commit(self, partition: TopicPartition, offset: int) -> OffsetAndMetadata:
        """The commit of ``offset``, with the identity of its topic."""
        commit = OffsetAndMetadata(offset, self._identity(partition.topic))
        self.note({partition: commit})
        return commit

    def note(self, committed: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Remember those of ``committed`` that any detector of the group wrote."""
        self._written |= {
            partition: each for partition, each in committed.items() if is_identity(each.metadata)
        }

    def replaced(self, topics: Mapping[str, SeenTopic]) -> bool:
        """Whether one of ``topics`` has replaced another since the last seek; True once each."""
        new = {
            name: topic.identity
            for name, topic in topics.items()
            if is_of_another_topic(self._identity(name), topic.identity)
            and self._found.get(name) != topic.identity
        }
        self._found |= new
        return bool(new)

    def _is_foreign(self, partition: TopicPartition, committed: OffsetAndMetadata) -> bool:
        # Without an identity of ours the topic was just deleted: whose commit it is stays unknown.
        return bool(self._identity(partition.topic)) and not is_identity(committed.metadata)

    def _written_before(self, partition: TopicPartition) -> int | None:
        written = self._written.get(partition)
        if written is None or self._is_stale(partition, written):
            return None
        return int(written.offset)

    def _is_stale(self, partition: TopicPartition, committed: OffsetAndMetadata) -> bool:
        """Whether it was committed on a topic that the current one of this name has replaced."""
        return is_of_another_topic(committed.metadata, self._identity(partition.topic))

    def _is_new(self, partition: TopicPartition) -> bool:
        """Whether it did not exist when this worker first read."""
        first, now = self._first.get(partition.topic), self._topics.get(partition.topic)
        if first is None or now is None:
            return first is None
        replaced = is_of_another_topic(first.identity, now.identity)
        return replaced or partition.partition >= first.partitions

    def _identity(self, topic: str) -> str:
        return self._topics[topic].identity if topic in self._topics else ""


def report_foreign_commit(
    metrics: Metrics, partition: TopicPartition, written: int | None, offset: int
) -> None:
    """Count and log an ``offset`` that no detector committed; any thread may call this.

    ``written`` is the last commit of a detector, None if unknown. It lets the log name the records
    that the foreign commit passed over.
    """
    topic, number = partition
    if offset == 0:
        logger.info("%s:%d was set back to its beginning: all of it is scored", topic, number)
        return
    metrics.foreign_commits.labels(topic).inc()
    found = f"offset {offset} of {topic}:{number} was committed by no detector"
    if written is None:
        logger.warning(
            "%s, by a foreign consumer or by hand: this worker does not know whether the records "
            "before it were scored; if they were not, `stream-detector replay --from "
            "%s:%d:FIRST-%d` scores them, FIRST being the first of them",
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


async def _claim(
    consumer: AIOKafkaConsumer, commits: Mapping[TopicPartition, OffsetAndMetadata]
) -> None:
    """Commit foreign offsets as this group's own, so that the next worker does not report them."""
    if not commits:
        return
    try:
        await asyncio.wait_for(consumer.commit(commits), _CLAIM_SECONDS)
    except (KafkaError, TimeoutError) as error:
        logger.debug("foreign offsets not committed: %r", error)


async def _end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """Where it ends; None without a leader, 0 if Kafka refuses the request."""
    for pause in back_off():
        if leader_of(consumer._client.cluster, partition) is None:
            break
        try:
            ends = await asyncio.wait_for(consumer.end_offsets([partition]), _END_SECONDS)
            return int(ends[partition])
        except (KafkaError, TimeoutError) as error:
            if not is_retriable(error):
                return 0
        await asyncio.sleep(pause)
    return None


async def _topics_once_kafka_answers(consumer: AIOKafkaConsumer) -> Mapping[str, SeenTopic]:
    """The subscribed topics; none if Kafka refuses, which the fetches will report."""
    for pause in back_off():
        try:
            return await seen_topics(consumer._client, consumer.subscription())
        except KafkaError as error:
            if not is_retriable(error):
                break
        await asyncio.sleep(pause)
    return {}
