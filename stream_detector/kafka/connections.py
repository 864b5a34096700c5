"""Which brokers aiokafka's clients need and get no answer from, read from their private state.

Nothing here waits, and any thread may call it.
"""

from collections.abc import Callable, Collection
from typing import Any

import aiokafka
from aiokafka.client import AIOKafkaClient

from stream_detector.kafka.leaders import leader_of

_UNANSWERED_SECONDS = 5.0
"""A fetch takes half a second; only the answer to a join takes longer than this."""


class AnswerWatch:
    """Notices open connections without an answer: a broker that hangs.

    aiokafka closes such a connection after 40 s.
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
    consumer: aiokafka.AIOKafkaConsumer, *, silent: Collection[Any] = ()
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
    producer: aiokafka.AIOKafkaProducer, *, silent: Collection[Any] = ()
) -> set[str]:
    """``host:port`` of the leaders of all written topics without a connection, or ``silent``."""
    cluster = producer.client.cluster
    leaders = {
        leader_of(cluster, aiokafka.TopicPartition(topic, number))
        for topic in cluster.topics()
        for number in cluster.partitions_for_topic(topic) or ()
    }
    return _unconnected(producer.client, leaders - {None}, silent)


def _connected(client: AIOKafkaClient) -> set[Any]:
    return {node for (node, _), conn in list(client._conns.items()) if conn.connected()}


def _unconnected(client: AIOKafkaClient, needed: set[Any], silent: Collection[Any]) -> set[str]:
    missing = needed - (_connected(client) - {*silent})
    brokers = map(client.cluster.broker_metadata, missing)
    return {_address(broker.host, broker.port) for broker in brokers if broker is not None}


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
