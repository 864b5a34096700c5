"""Which topic it is that has a name now: Kafka gives each topic that is made an id of its own.

Kafka has told them since 2.8, in a request that aiokafka does not know yet. A topic that was
deleted and made again under the same name has another id, and its offsets begin at 0.
"""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    NodeNotReadyError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

__all__ = ["SeenTopic", "Uuid", "is_identity", "is_of_another_topic", "seen_topics"]


class SeenTopic(NamedTuple):
    """A topic that is there."""

    partitions: int
    identity: str
    """Cluster and topic id, for ``is_of_another_topic``; empty where Kafka tells no ids."""


def is_identity(text: str) -> bool:
    """Whether ``text`` has the form of an identity, of whatever topic and cluster."""
    cluster, _, topic = text.partition("/")
    try:
        return bool(cluster) and str(UUID(topic)) == topic
    except ValueError:
        return False


def is_of_another_topic(identity: str, now: str) -> bool:
    """Whether ``identity`` is that of a topic which ``now``, of the same name, has replaced.

    False where it can't be told: an identity is not known, or of another cluster, as where offsets
    are mirrored.
    """
    cluster, _, topic = identity.partition("/")
    cluster_now, _, topic_now = now.partition("/")
    return bool(topic and topic_now) and cluster == cluster_now and topic != topic_now


async def seen_topics(client: AIOKafkaClient, names: Iterable[str]) -> Mapping[str, SeenTopic]:
    """Those of the topics ``names`` that are there, as any broker says now.

    Raises:
        KafkaError: no broker answers, or one of them may not be described.
    """
    node = client.get_random_node()
    if node is None:
        raise NodeNotReadyError("no broker is known")
    try:
        response = await client.send(node, _MetadataRequest(list(names)))
    except (NotImplementedError, IncompatibleBrokerVersion):
        return await _seen_by_the_client(client, names)
    seen: dict[str, SeenTopic] = {}
    for code, name, topic_id, _, partitions, _, _ in response.topics:
        if code not in {_NO_ERROR, UnknownTopicOrPartitionError.errno}:
            raise for_code(code)(name)
        if code == _NO_ERROR:
            seen[name] = SeenTopic(len(partitions), f"{response.cluster_id}/{topic_id}")
    return seen


async def _seen_by_the_client(
    client: AIOKafkaClient, names: Iterable[str]
) -> Mapping[str, SeenTopic]:
    """As ``seen_topics``, of a Kafka that tells no ids."""
    await client.force_metadata_update()
    counts = {name: len(client.cluster.partitions_for_topic(name) or ()) for name in names}
    return {name: SeenTopic(count, "") for name, count in counts.items() if count}


# --- the request: https://kafka.apache.org/protocol.html#The_Messages_Metadata, version 10 -------

_NO_ERROR = 0


class Uuid(AbstractType[UUID]):  # type: ignore[misc]
    """An id of 16 bytes, which aiokafka does not know either."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        """The bytes."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        """The id that begins here."""
        return UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        no_tags: dict[int, bytes] = {}
        topics = [(UUID(int=0), name, no_tags) for name in self._names]
        return request_struct_class(topics, False, False, False, no_tags)
