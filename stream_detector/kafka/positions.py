"""Where the partitions that a worker is assigned are read from, and by what a commit is known.

A commit names the topic that it was made on (``topic_identity``). An offset of a topic that was
deleted could lie within the one made in its place, and all records before it would be passed over.
An offset that names no topic was committed by no detector: by a foreign consumer, or by hand.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from stream_detector.kafka.leaders import leader_of
from stream_detector.kafka.retry import back_off, is_retriable
from stream_detector.kafka.topic_identity import (
    SeenTopic,
    is_identity,
    is_of_another_topic,
    seen_topics,
)

__all__ = ["OnForeignCommit", "Positions"]

logger = logging.getLogger(__name__)

_CLAIM_SECONDS = 5.0
_END_SECONDS = 5.0
"""For a leader to answer, before another one is looked for."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class OnForeignCommit(Protocol):
    """Is told of an offset that no detector committed; called in the consumer's thread."""

    def __call__(self, partition: TopicPartition, written: int | None, offset: int) -> None:
        """``written``: what detectors committed last, None where that is not known."""
        ...


class Positions:
    """Seeks after each rebalance. All of it runs in the consumer's thread."""

    def __init__(self, *, at_end: bool, on_foreign_commit: OnForeignCommit) -> None:
        """``at_end``: a group without offsets begins at the ends that partitions have then."""
        self._at_end = at_end
        self._on_foreign_commit = on_foreign_commit
        self._written: dict[TopicPartition, OffsetAndMetadata] = {}
        """What detectors committed last, as far as this worker knows."""
        self._topics: Mapping[str, SeenTopic] = {}
        """At the last seek: what is read and committed is theirs."""
        self._first: Mapping[str, SeenTopic] = {}
        """At the first seek: what is not among them is no part of what a new group passes over."""
        self._found: dict[str, str] = {}
        """Identity by topic of those found to have replaced another since the last seek."""

    async def seek(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Seek in all partitions assigned; returns the committed offsets that count."""
        partitions = list(consumer.assignment())
        self._topics = await _patiently(
            lambda: seen_topics(consumer._client, consumer.subscription())
        )
        self._first = self._first or self._topics
        committed: dict[TopicPartition, int] = {}
        foreign: dict[TopicPartition, OffsetAndMetadata] = {}
        found = await consumer._coordinator.fetch_committed_offsets(partitions)
        for partition in partitions:
            if partition in found and not self._is_stale(partition, found[partition]):
                offset = committed[partition] = found[partition].offset
                if self._is_foreign(partition, found[partition]):
                    self._on_foreign_commit(partition, self._written_before(partition), offset)
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
            # A seek in any case: aiokafka may be about to go to what was committed.
            consumer._fetcher.seek_to(partition, offset)
        self.note(found)
        await _claim(consumer, foreign)
        return committed

    def commit(self, partition: TopicPartition, offset: int) -> OffsetAndMetadata:
        """What to commit for ``offset``."""
        commit = OffsetAndMetadata(offset, self._identity(partition.topic))
        self.note({partition: commit})
        return commit

    def note(self, committed: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Remember those of ``committed`` that a detector wrote, whichever of the group."""
        self._written |= {
            partition: each for partition, each in committed.items() if is_identity(each.metadata)
        }

    def _is_foreign(self, partition: TopicPartition, committed: OffsetAndMetadata) -> bool:
        """Whether no detector wrote it; False where Kafka tells no ids, and it can't be told."""
        return bool(self._identity(partition.topic)) and not is_identity(committed.metadata)

    def _written_before(self, partition: TopicPartition) -> int | None:
        written = self._written.get(partition)
        if written is None or is_of_another_topic(
            written.metadata, self._identity(partition.topic)
        ):
            return None
        return int(written.offset)

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

    def _is_stale(self, partition: TopicPartition, committed: OffsetAndMetadata) -> bool:
        """Whether it was committed on a topic that the one of this name has replaced."""
        return is_of_another_topic(committed.metadata, self._identity(partition.topic))

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


async def _claim(
    consumer: AIOKafkaConsumer, commits: Mapping[TopicPartition, OffsetAndMetadata]
) -> None:
    """Commit foreign offsets as this group's own: the next worker need not tell them again."""
    if not commits:
        return
    try:
        await asyncio.wait_for(consumer.commit(commits), _CLAIM_SECONDS)
    except (KafkaError, TimeoutError) as error:
        logger.debug("foreign offsets not committed: %r", error)


async def _end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """Where it ends; None if it has no leader, 0 if Kafka refuses to tell."""
    for pause in back_off():
        if leader_of(consumer._client.cluster, partition) is None:
            return None
        try:
            ends = await asyncio.wait_for(consumer.end_offsets([partition]), _END_SECONDS)
        except (KafkaError, TimeoutError) as error:
            if not is_retriable(error):
                return 0
            await asyncio.sleep(pause)
        else:
            return int(ends[partition])
    raise AssertionError("back_off never ends")


async def _patiently(ask: Callable[[], Awaitable[Mapping[_Key, _Value]]]) -> Mapping[_Key, _Value]:
    """What ``ask`` gives, once Kafka answers; nothing where it refuses, as the fetches will say."""
    for pause in back_off():
        try:
            return await ask()
        except KafkaError as error:
            if not is_retriable(error):
                return {}
            await asyncio.sleep(pause)
    raise AssertionError("back_off never ends")
