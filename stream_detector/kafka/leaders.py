"""Which broker leads a partition, as far as aiokafka's client knows."""

from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata

__all__ = ["leader_of"]

_NO_LEADER = -1


def leader_of(cluster: ClusterMetadata, partition: TopicPartition) -> int | None:
    """The id of the broker; None where the partition has no leader, or is not known."""
    leader: int | None = cluster.leader_for_partition(partition)
    return None if leader == _NO_LEADER else leader
