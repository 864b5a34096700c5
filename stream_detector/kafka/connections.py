"""Which brokers aiokafka's clients need and have no connection to; of what they keep to themselves.

All of it only looks, never waits, and may be called from another thread than the client's.
"""

from collections.abc import Iterable
from typing import Any

import aiokafka
from aiokafka.client import AIOKafkaClient

__all__ = ["is_connected", "unconnected_of_consumer", "unconnected_of_producer"]

_NO_LEADER = -1


def is_connected(client: AIOKafkaClient) -> bool:
    """Whether it has a connection to any broker."""
    return any(connection.connected() for connection in list(client._conns.values()))


def unconnected_of_consumer(consumer: aiokafka.AIOKafkaConsumer) -> set[str]:
    """``host:port`` of leaders of the partitions assigned, and of the group's coordinator.

    None before it has started. Where no such broker is known, any with a connection will do.
    """
    coordinator = consumer._coordinator
    if coordinator is None:
        return set()
    partitions = consumer.assignment()
    return _unconnected(consumer._client, partitions, also=[coordinator.coordinator_id])


def unconnected_of_producer(producer: aiokafka.AIOKafkaProducer) -> set[str]:
    """``host:port`` of leaders of all partitions of the topics that were written."""
    cluster = producer.client.cluster
    partitions = [
        aiokafka.TopicPartition(topic, number)
        for topic in cluster.topics()
        for number in cluster.partitions_for_topic(topic) or ()
    ]
    return _unconnected(producer.client, partitions)


def _unconnected(
    client: AIOKafkaClient, partitions: Iterable[Any], *, also: Iterable[int | None] = ()
) -> set[str]:
    cluster = client.cluster
    connected = {node for (node, _), conn in list(client._conns.items()) if conn.connected()}
    needed = {*also, *map(cluster.leader_for_partition, partitions)} - {None, _NO_LEADER}
    if not needed and not connected:
        needed = {broker.nodeId for broker in cluster.brokers()}
    brokers = map(cluster.broker_metadata, needed - connected)
    return {_address(broker.host, broker.port) for broker in brokers if broker is not None}


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
