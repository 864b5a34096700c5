"""Which brokers aiokafka's clients need: leaders, ends of partitions, connections, silent brokers.

All of it is read from the clients' private state.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

_NO_LEADER = -1
_END = -1
"""ListOffsets: the next offset to be written."""
_APART_SECONDS = 0.2
_ANSWER_SECONDS = 4.0
"""After this time the client asks another broker, chosen at random."""
_UNANSWERED_SECONDS = 5.0
"""A fetch takes half a second; only the answer to a join takes longer than this."""


def leader_of(cluster: ClusterMetadata, partition: TopicPartition) -> int | None:
    """The id of the leading broker; None if the client knows no leader of ``partition``."""
    leader: int | None = cluster.leader_for_partition(partition)
    return None if leader == _NO_LEADER else leader


async def known_ends(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], *, seconds: float
) -> Mapping[TopicPartition, int]:
    """The next offset to be written of each partition whose leader answers within ``seconds``.

    aiokafka's own ``end_offsets`` returns nothing while one leader of many is away, and first waits
    for a metadata update, which a frozen broker delays.
    """
    client = consumer._client
    by_leader: defaultdict[int | None, list[TopicPartition]] = defaultdict(list)
    for partition in partitions:
        by_leader[leader_of(client.cluster, partition)].append(partition)
    without_leader = by_leader.pop(None, [])
    answers = await asyncio.gather(
        *(
            asyncio.wait_for(_ends_from(consumer, leader, led), seconds)
            for leader, led in by_leader.items()
        ),
        return_exceptions=True,
    )
    known = (answer.items() for answer in answers if not isinstance(answer, BaseException))
    if without_leader or any(isinstance(answer, Exception) for answer in answers):
        client.force_metadata_update()  # Another broker may lead them by now.
    return dict(chain.from_iterable(known))


async def _ends_from(
    consumer: AIOKafkaConsumer, leader: int | None, partitions: Iterable[TopicPartition]
) -> Mapping[TopicPartition, int]:
    wanted: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, number in partitions:
        wanted[topic].append((number, _END))
    found = await consumer._fetcher._proc_offset_request(leader, wanted)
    return {partition: end for partition, (end, _) in found.items()}


def pace_metadata_updates(client: AIOKafkaClient) -> None:
    """Bound how often ``client`` asks for leaders, and how long it waits for one broker.

    aiokafka 0.14 asks hundreds of times a second while a partition has no leader, and waits 40 s
    for a broker that accepts connections without answering, while other brokers would answer.
    """
    update = client._metadata_update
    asked_at = 0.0

    async def update_paced(cluster: ClusterMetadata, topics: set[str] | None) -> bool:
        nonlocal asked_at
        await asyncio.sleep(max(0.0, asked_at + _APART_SECONDS - time.monotonic()))
        asked_at = time.monotonic()
        try:
            updated: bool = await asyncio.wait_for(update(cluster, topics), _ANSWER_SECONDS)
        except TimeoutError:
            cluster.failed_update(None)
            return False
        return updated

    client._metadata_update = update_paced


# --- connections ----------------------------------------------------------------------------


class AnswerWatch:
    """Notices open connections without an answer: a broker that hangs.

    aiokafka closes such a connection only after 40 s. Nothing here waits, and any thread may call
    it; the same holds for the two functions below.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """``clock`` gives monotonic seconds."""
        self._clock = clock
        self._oldest: dict[Any, tuple[int | None, float]] = {}
        """By connection: the id of its oldest unanswered request, and when it was first seen."""
        self.connected: frozenset[Any] = frozenset()
        """Nodes that had a connection at the last look."""
        self.silent: frozenset[Any] = frozenset()
        """Nodes that left a request unanswered for long."""

    def look(self, client: AIOKafkaClient) -> None:
        """Look once; the caller repeats it."""
        now, before = self._clock(), self._oldest
        silent: set[Any] = set()
        self._oldest = {}
        for (node, _), connection in list(client._conns.items()):
            try:
                request, *_ = connection._requests[0]
            except IndexError:
                continue
            seen = before.get(connection)
            since = now if seen is None or seen[0] != request else seen[1]
            self._oldest[connection] = request, since
            if now - since >= _UNANSWERED_SECONDS:
                silent.add(node)
        self.silent = frozenset(silent)
        self.connected = frozenset(_connected(client))


def unconnected_of_consumer(
    consumer: AIOKafkaConsumer, *, silent: Collection[Any] = ()
) -> set[str]:
    """``host:port`` of the leaders of assigned partitions and of the coordinator that are missing.

    Missing: without a connection, or ``silent``. None before the consumer starts. While no such
    broker is known, one connection to any broker is enough.
    """
    coordinator = consumer._coordinator
    if coordinator is None:
        return set()
    cluster = consumer._client.cluster
    leaders = {leader_of(cluster, each) for each in consumer.assignment()}
    needed = (leaders | {coordinator.coordinator_id}) - {None}
    if not needed and not _connected(consumer._client):
        needed = {broker.nodeId for broker in cluster.brokers()}
    return _unconnected(consumer._client, needed, silent)


def unconnected_of_producer(
    producer: AIOKafkaProducer, *, silent: Collection[Any] = ()
) -> set[str]:
    """``host:port`` of the leaders of all written topics without a connection, or ``silent``."""
    cluster = producer.client.cluster
    leaders = {
        leader_of(cluster, TopicPartition(topic, number))
        for topic in cluster.topics()
        for number in cluster.partitions_for_topic(topic) or ()
    }
    return _unconnected(producer.client, leaders - {None}, silent)


def _connected(client: AIOKafkaClient) -> set[Any]:
    return {node for (node, _), conn in list(client._conns.items()) if conn.connected()}


def _unconnected(client: AIOKafkaClient, needed: set[Any], silent: Collection[Any]) -> set[str]:
    missing = needed - (_connected(client) - {*silent})
    brokers = map(client.cluster.broker_metadata, missing)
    return {
        f"[{broker.host}]:{broker.port}" if ":" in broker.host else f"{broker.host}:{broker.port}"
        for broker in brokers
        if broker is not None
    }
