"""Who is in the consumer group, and which partitions detectors own, as Kafka describes it.

A detector marks itself in what it sends when it joins (``DetectorAssignor``). A member without the
mark is given partitions like any other, and what it reads and commits is never scored.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeGroupsRequest
from faust.types import TP

from stream_detector.kafka.group_mark import DETECTOR_MARK
from stream_detector.kafka.new_protocol_group import members_of_new_protocol_group
from stream_detector.terminal.printable import printable

__all__ = ["DetectorAssignor", "GroupView", "Member", "view_of_group"]

_STABLE, _DEAD = "Stable", "Dead"


class DetectorAssignor(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """Shares partitions out in turn, and marks this member as a detector."""

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member sends when it joins."""
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), DETECTOR_MARK)


class Member(NamedTuple):
    """A member of the group."""

    name: str
    """Its client id and host, printable."""
    is_detector: bool
    partitions: frozenset[TP]


class GroupView(NamedTuple):
    """The group and its topics at one moment."""

    members: list[Member] | None
    """None while the group rebalances: nobody owns a partition for certain."""
    partitions: Mapping[str, int]
    """How many each topic has; 0 for one that is missing."""


async def view_of_group(
    consumer: aiokafka.AIOKafkaConsumer, group_id: str, topics: Collection[str]
) -> GroupView:
    """Ask the group's coordinator who owns what.

    Raises:
        KafkaError: the coordinator does not answer, or may not be asked.
    """
    known = consumer._client.cluster.partitions_for_topic
    partitions = {topic: len(known(topic) or ()) for topic in topics}
    await consumer._coordinator.ensure_coordinator_known()
    # By the common connection: on its own one the coordinator may hold back a join's answer.
    response = await consumer._client.send(
        consumer._coordinator.coordinator_id, DescribeGroupsRequest([group_id])
    )
    ((code, _, state, _, _, members, *_),) = response.groups
    if code:
        raise for_code(code)(group_id)
    if state == _DEAD:
        # Kafka says so, too, where a consumer of the new protocol is in the group.
        found = await members_of_new_protocol_group(
            consumer._client, consumer._coordinator.coordinator_id, group_id
        )
        if found is not None:
            members = [
                # What the others sent when they joined is not shown: they count as detectors.
                Member(
                    _name(each.client_id, each.host), not each.speaks_new_protocol, each.partitions
                )
                for each in found
            ]
            return GroupView(members, partitions)
    if state != _STABLE:
        return GroupView(None, partitions)
    return GroupView([_member(*member[1:5]) for member in members], partitions)


def _member(client_id: str, host: str, metadata: bytes, assignment: bytes) -> Member:
    mark = ConsumerProtocolMemberMetadata.decode(metadata).user_data if metadata else b""
    assigned: list[Any] = []
    if assignment:
        assigned = ConsumerProtocolMemberAssignment.decode(assignment).partitions()
    return Member(
        _name(client_id, host), mark == DETECTOR_MARK, frozenset(TP(*each) for each in assigned)
    )


def _name(client_id: str, host: str) -> str:
    return f"{printable(client_id)} at {printable(host.lstrip('/'))}"
