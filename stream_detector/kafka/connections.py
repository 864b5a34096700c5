"""Which brokers aiokafka's clients need and have no answer of; of what they keep to themselves.

All of it only looks, never waits, and may be called from another thread than the client's.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import aiokafka
from aiokafka.client import AIOKafkaClient

__all__ = ["AnswerWatch", "is_connected", "unconnected_of_consumer", "unconnected_of_producer"]

_NO_LEADER = -1
_UNANSWERED_SECONDS = 5.0
"""A fetch is answered after half a second; only a join takes longer than this."""


class AnswerWatch:
    """Notices connections that are open and on which nothing is answered: a broker that hangs.

    aiokafka closes such a connection after 40 s.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """``clock`` gives monotonic seconds."""
        self._clock = clock
        self._oldest: dict[Any, tuple[int | None, float]] = {}
        """Of each connection: the id of the request that waits for longest, and since when."""
        self.silent: frozenset[int] = frozenset()
        """Nodes that have not answered a request for long, as of the last look."""

    def look(self, client: AIOKafkaClient) -> None:
        """Look once; to be called again and again."""
        now, before, silent = self._clock(), self._oldest, set()
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


def is_connected(client: AIOKafkaClient, *, silent: Collection[int] = ()) -> bool:
    """Whether it has a connection to any broker that is not ``silent``."""
    return bool(_connected(client) - {*silent})


def unconnected_of_consumer(
    consumer: aiokafka.AIOKafkaConsumer, *, silent: Collection[int] = ()
) -> set[str]:
    """``host:port`` of leaders of the partitions assigned, and of the group's coordinator.

    Those without a connection, and those that are ``silent``. None before it has started. Where no
    such broker is known, any with a connection will do.
    """
    coordinator = consumer._coordinator
    if coordinator is None:
        return set()
    partitions = consumer.assignment()
    return _unconnected(consumer._client, partitions, silent, also=[coordinator.coordinator_id])


def unconnected_of_producer(
    producer: aiokafka.AIOKafkaProducer, *, silent: Collection[int] = ()
) -> set[str]:
    """``host:port`` of leaders of all partitions of the topics that were written.

    Those without a connection, and those that are ``silent``.
    """
    cluster = producer.client.cluster
    partitions = [
        aiokafka.TopicPartition(topic, number)
        for topic in cluster.topics()
        for number in cluster.partitions_for_topic(topic) or ()
    ]
    return _unconnected(producer.client, partitions, silent)


def _connected(client: AIOKafkaClient) -> set[Any]:
    return {node for (node, _), conn in list(client._conns.items()) if conn.connected()}


def _unconnected(
    client: AIOKafkaClient,
    partitions: Iterable[Any],
    silent: Collection[int],
    *,
    also: Iterable[int | None] = (),
) -> set[str]:
    cluster = client.cluster
    connected = _connected(client) - {*silent}
    needed = {*also, *map(cluster.leader_for_partition, partitions)} - {None, _NO_LEADER}
    if not needed and not connected:
        needed = {broker.nodeId for broker in cluster.brokers()}
    brokers = map(cluster.broker_metadata, needed - connected)
    return {_address(broker.host, broker.port) for broker in brokers if broker is not None}


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
