"""Who is in a group that a consumer of Kafka's new protocol (KIP-848) has joined.

Kafka 4.0 and newer let such a consumer into the group of ours, and then describe the group as dead
to those who ask the older way. aiokafka does not know the newer request.
"""

from typing import NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from faust.types import TP

from stream_detector.kafka.topic_identity import Uuid

__all__ = ["NewProtocolMember", "members_of_new_protocol_group"]

_OF_NEW_PROTOCOL = 1
_EMPTY_STATES = {"Empty", "Dead"}


class NewProtocolMember(NamedTuple):
    """A member of such a group, whichever protocol it speaks itself."""

    client_id: str
    host: str
    speaks_new_protocol: bool
    partitions: frozenset[TP]


async def members_of_new_protocol_group(
    client: AIOKafkaClient, coordinator: int, group_id: str
) -> list[NewProtocolMember] | None:
    """Its members; None where ``group_id`` is no such group, or Kafka is older than 4.0.

    Raises:
        KafkaError: the coordinator does not answer.
    """
    try:
        response = await client.send(coordinator, _DescribeRequest(group_id))
    except (NotImplementedError, IncompatibleBrokerVersion):
        return None
    ((code, _, _, state, _, _, _, members, *_),) = response.groups
    if code or state in _EMPTY_STATES:
        return None
    return [
        NewProtocolMember(
            client_id,
            host,
            member_type == _OF_NEW_PROTOCOL,
            frozenset(TP(topic, number) for _, topic, numbers, _ in owned for number in numbers),
        )
        for _, _, _, _, client_id, host, _, _, (owned, _), _, member_type, _ in members
    ]


# --- https://kafka.apache.org/protocol.html#The_Messages_ConsumerGroupDescribe, version 1 --------

_TEXT = CompactString("utf-8")
_ASSIGNMENT = Schema(
    (
        "topic_partitions",
        CompactArray(
            ("topic_id", Uuid),
            ("topic_name", _TEXT),
            ("partitions", CompactArray(Int32)),
            ("tags", TaggedFields),
        ),
    ),
    ("tags", TaggedFields),
)
_MEMBERS = CompactArray(
    ("member_id", _TEXT),
    ("instance_id", _TEXT),
    ("rack_id", _TEXT),
    ("member_epoch", Int32),
    ("client_id", _TEXT),
    ("client_host", _TEXT),
    ("subscribed_topic_names", CompactArray(_TEXT)),
    ("subscribed_topic_regex", _TEXT),
    ("assignment", _ASSIGNMENT),
    ("target_assignment", _ASSIGNMENT),
    ("member_type", Int8),
    ("tags", TaggedFields),
)


class _DescribeResponse(Response):  # type: ignore[misc]
    API_KEY = 69
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            CompactArray(
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("group_id", _TEXT),
                ("group_state", _TEXT),
                ("group_epoch", Int32),
                ("assignment_epoch", Int32),
                ("assignor_name", _TEXT),
                ("members", _MEMBERS),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _DescribeRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 69
    API_VERSION = 1
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(
        ("group_ids", CompactArray(_TEXT)),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _DescribeRequest(Request[_DescribeRequestStruct]):  # type: ignore[misc]
    API_KEY = 69

    def __init__(self, group_id: str) -> None:
        self._group_id = group_id

    def build(self, request_struct_class: type[_DescribeRequestStruct]) -> _DescribeRequestStruct:
        no_tags: dict[int, bytes] = {}
        return request_struct_class([self._group_id], False, no_tags)
