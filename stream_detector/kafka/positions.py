"""Where the partitions that a worker is assigned are read from, and by what a commit is known.

A commit names the topic that it was made on (``topic_identity``). An offset of a topic that was
deleted could lie within the one made in its place, and all records before it would be passed over.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream_detector.kafka.retry import back_off, is_retriable
from stream_detector.kafka.topic_identity import SeenTopic, is_of_another_topic, seen_topics

__all__ = ["Positions"]


class Positions:
    """Seeks after each rebalance. All of it runs in the consumer's thread."""

    def __init__(self, *, at_end: bool) -> None:
        """``at_end``: a group without offsets begins at the ends that partitions have then."""
        self._at_end = at_end
        self._topics: Mapping[str, SeenTopic] = {}
        """At the last seek: what is read and committed is theirs."""
        self._first: Mapping[str, SeenTopic] = {}
        """At the first seek: what is not among them is no part of what a new group passes over."""
        self._found: dict[str, str] = {}
        """Identity by topic of those found to have replaced another since the last seek."""

    async def seek(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Seek in all partitions assigned; returns the committed offsets that count."""
        self._topics = await _seen(consumer)
        self._first = self._first or self._topics
        committed: dict[TopicPartition, int] = {}
        offsets = await consumer._coordinator.fetch_committed_offsets(list(consumer.assignment()))
        for partition in consumer.assignment():
            offset = self._counting(partition, offsets.get(partition))
            if offset is not None:
                committed[partition] = offset
            elif self._at_end and not self._is_new(partition):
                ends = await consumer.end_offsets([partition])
                offset = ends[partition]
            # By a seek in any case: aiokafka may be about to go to what was committed.
            consumer._fetcher.seek_to(partition, offset or 0)
        return committed

    def commit(self, partition: TopicPartition, offset: int) -> OffsetAndMetadata:
        """What to commit for ``offset``."""
        return OffsetAndMetadata(offset, self._identity(partition.topic))

    def replaced(self, topics: Mapping[str, SeenTopic]) -> bool:
        """Whether one of ``topics`` has replaced another since the last seek; once for each."""
        new = {
            name: topic.identity
            for name, topic in topics.items()
            if is_of_another_topic(self._identity(name), topic.identity)
            and self._found.get(name) != topic.identity
        }
        self._found |= new
        return bool(new)

    def _counting(
        self, partition: TopicPartition, committed: OffsetAndMetadata | None
    ) -> int | None:
        """The committed offset, if it is one of this topic."""
        if committed is None:
            return None
        is_stale = is_of_another_topic(committed.metadata, self._identity(partition.topic))
        offset: int = committed.offset
        return None if is_stale else offset

    def _is_new(self, partition: TopicPartition) -> bool:
        """Whether it was not there when this worker first read."""
        first, now = self._first.get(partition.topic), self._topics.get(partition.topic)
        if first is None or now is None:
            return first is None
        replaced = is_of_another_topic(first.identity, now.identity)
        return replaced or partition.partition >= first.partitions

    def _identity(self, topic: str) -> str:
        seen = self._topics.get(topic)
        return seen.identity if seen is not None else ""


async def _seen(consumer: Any) -> Mapping[str, SeenTopic]:
    """The topics subscribed to that are there; waits while Kafka is away."""
    for pause in back_off():
        try:
            return await seen_topics(consumer._client, consumer.subscription())
        except KafkaError as error:
            if not is_retriable(error):
                raise
            await asyncio.sleep(pause)
    raise AssertionError("back_off never ends")
