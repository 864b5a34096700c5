"""Who is in the consumer group, and which partitions detectors own, as Kafka describes it.

A detector marks itself when it joins (``DetectorAssignor``). A member without the mark gets
partitions like any other, and nothing scores what it reads and commits.

Kafka 4.0 and newer let a consumer of the new protocol (KIP-848) into the group. They then answer a
request of the old protocol that the group is dead, although detectors in it go on reading. Only the
new request, which aiokafka does not know, shows the members.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest

from stream_detector.kafka.newer_requests import CONSUMER_GROUP_DESCRIBE, NO_TAGS, NewerRequest
from stream_detector.terminal.printable import printable

DETECTOR_MARK = b"stream-detector"
"""The user data of its subscription."""
_NAMED_MAX = 3

_STABLE, _EMPTY, _DEAD = "Stable", "Empty", "Dead"
_OF_NEW_PROTOCOL = 1


def foreign_members_fault(group_id: str, names: Sequence[str]) -> str:
    """A sentence about the members ``names`` of the group, which are no detectors."""
    count = len(names)
    what = "member that is no detector" if count == 1 else "members that are no detectors"
    named = ", ".join(names[:_NAMED_MAX])
    more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
    return (
        f"group {group_id} has {count:,} {what} ({named}{more}): nothing scores what they read; "
        "stop them, or give them a group of their own"
    )


class DetectorAssignor(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """Assigns partitions in turn, and marks this member as a detector."""

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """The data that this member sends when it joins."""
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), DETECTOR_MARK)


class Member(NamedTuple):
    """A member of the group."""

    name: str
    """Its client id and host, printable."""
    is_detector: bool
    partitions: frozenset[TopicPartition]


class GroupView(NamedTuple):
    """The group and its topics at one moment."""

    members: list[Member] | None
    """None while the group rebalances: nobody owns a partition for certain."""
    partitions: Mapping[str, int]
    """Their number by topic; 0 for a missing topic."""


async def view_of_group(
    consumer: AIOKafkaConsumer, group_id: str, topics: Collection[str]
) -> GroupView:
    """Ask the group's coordinator who owns what.

    Raises:
        KafkaError: the coordinator does not answer, or refuses.
    """
    known = consumer._client.cluster.partitions_for_topic
    partitions = {topic: len(known(topic) or ()) for topic in topics}
    await consumer._coordinator.ensure_coordinator_known()
    # By the common connection: on the coordinator's own one, the answer of a join may block others.
    response = await consumer._client.send(
        consumer._coordinator.coordinator_id, DescribeGroupsRequest([group_id])
    )
    ((code, _, state, _, _, members, *_),) = response.groups
    if code:
        raise for_code(code)(group_id)
    if state == _STABLE:
        return GroupView([_member(*member[1:5]) for member in members], partitions)
    found = await _members_by_new_protocol(consumer, group_id) if state == _DEAD else None
    return GroupView(found, partitions)


def _member(client_id: str, host: str, metadata: bytes, assignment: bytes) -> Member:
    mark = ConsumerProtocolMemberMetadata.decode(metadata).user_data if metadata else b""
    assigned: list[Any] = []
    if assignment:
        assigned = ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    return Member(
        _name(client_id, host),
        mark == DETECTOR_MARK,
        frozenset(TopicPartition(*each) for each in assigned),
    )


async def _members_by_new_protocol(
    consumer: AIOKafkaConsumer, group_id: str
) -> list[Member] | None:
    """The members; None if it is no group of the new protocol, or Kafka is older than 4.0."""
    request = NewerRequest(CONSUMER_GROUP_DESCRIBE, [group_id], False, NO_TAGS)
    try:
        response = await consumer._client.send(consumer._coordinator.coordinator_id, request)
    except IncompatibleBrokerVersion:
        return None
    ((code, _, _, state, _, _, _, members, *_),) = response.groups
    if code or state in {_EMPTY, _DEAD}:
        return None
    return [
        # This answer has no marks, so members of the old protocol count as detectors.
        Member(
            _name(client_id, host),
            member_type != _OF_NEW_PROTOCOL,
            frozenset(
                TopicPartition(topic, number)
                for _, topic, numbers, _ in owned
                for number in numbers
            ),
        )
        for _, _, _, _, client_id, host, _, _, (owned, _), _, member_type, _ in members
    ]


def _name(client_id: str, host: str) -> str:
    return f"{printable(client_id)} at {printable(host.lstrip('/'))}"
