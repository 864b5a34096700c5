"""Which topic has a name now: Kafka gives each topic an id of its own when it is created.

A topic that was deleted and created again under the same name has another id, and its offsets begin
at 0. Kafka reports ids since 2.8, in a version of the metadata request that aiokafka does not know.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NodeNotReadyError, UnknownTopicOrPartitionError, for_code

from stream_detector.kafka.newer_requests import METADATA, NO_TAGS, NewerRequest

_NO_ERROR = 0
_NO_ID = UUID(int=0)


class SeenTopic(NamedTuple):
    """A topic that exists."""

    partitions: int
    identity: str
    """Cluster and topic id, for ``is_of_another_topic``."""


def is_identity(text: str) -> bool:
    """Whether ``text`` has the form of an identity, of any topic and cluster."""
    cluster, _, topic = text.partition("/")
    try:
        return bool(cluster) and str(UUID(topic)) == topic
    except ValueError:
        return False


def is_of_another_topic(identity: str, now: str) -> bool:
    """Whether ``now`` is the identity of a topic that replaced the one of ``identity``.

    False if that is unknown: an identity is missing, or of another cluster, as for mirrored
    offsets.
    """
    cluster, _, topic = identity.partition("/")
    cluster_now, _, topic_now = now.partition("/")
    return bool(topic and topic_now) and cluster == cluster_now and topic != topic_now


async def seen_topics(client: AIOKafkaClient, names: Iterable[str]) -> Mapping[str, SeenTopic]:
    """Those of the topics ``names`` that exist, as any broker reports now.

    Raises:
        KafkaError: no broker answers, or one of them may not be described.
    """
    node = client.get_random_node()
    if node is None:
        raise NodeNotReadyError("no broker is known")
    topics = [(_NO_ID, name, NO_TAGS) for name in names]
    request = NewerRequest(METADATA, topics, False, False, False, NO_TAGS)
    response = await client.send(node, request)
    seen: dict[str, SeenTopic] = {}
    for code, name, topic_id, _, partitions, _, _ in response.topics:
        if code not in {_NO_ERROR, UnknownTopicOrPartitionError.errno}:
            raise for_code(code)(name)
        if code == _NO_ERROR:
            seen[name] = SeenTopic(len(partitions), f"{response.cluster_id}/{topic_id}")
    return seen
