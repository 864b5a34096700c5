"""Questions of `doctor` about brokers, group and records; none joins, reads or writes anything."""

from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from stream_detector.errors import FatalError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.group_mark import DETECTOR_MARK, foreign_members_fault
from stream_detector.kafka.probing import Fault, broker_faults
from stream_detector.settings.fields import Settings
from stream_detector.terminal.printable import printable

__all__ = ["bootstrap_faults", "group_members", "newest_record_time"]

_STABLE, _EMPTY = "Stable", "Empty"
_NEW_PROTOCOL = "is not a classic group"
"""Kafka 4.0 and newer say so about a group with a consumer of the new protocol (KIP-848)."""
_MAX_TIMESTAMP = -3
"""ListOffsets: the record with the latest time (KIP-734, since Kafka 3.0)."""


def bootstrap_faults(settings: Settings) -> dict[str, Fault]:
    """The fault of each of ``bootstrap_servers`` that does not answer; none behind a proxy."""
    options = client_options(settings)
    if options.get("proxy_url"):
        return {}
    return broker_faults(settings.bootstrap_servers, options.get("ssl_context"))


def group_members(settings: Settings, group_id: str) -> int:
    """How many detectors are in the consumer group, which this client may join.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials, this client may not join, or a member is no
            detector.
    """
    who = settings.sasl_username or "this client"
    fault = f"group {group_id} may not be joined: give {who} the right READ on the group"

    def describe(admin: KafkaAdminClient) -> dict[str, Any]:
        try:
            # A new cluster first has to create the topic of groups; ``ask_kafka`` asks again.
            group: dict[str, Any] = admin.describe_groups([group_id])[group_id]
            if _NEW_PROTOCOL in (group["error"] or "") and not _is_empty(admin, group_id):
                raise FatalError(
                    f"group {group_id} has members of Kafka's new consumer protocol, which no "
                    "detector speaks: nothing scores what they read; stop them, or give them a "
                    "group of their own"
                )
        except AuthorizationError as error:
            raise FatalError(fault) from error
        return group

    group = ask_kafka(settings, describe)
    allowed = group.get("authorized_operations")
    if allowed is not None and not {"READ", "ALL"} & set(allowed):
        raise FatalError(fault)
    foreign = [
        f"{printable(member['client_id'])} at {printable(member['client_host'].lstrip('/'))}"
        for member in group["members"]
        if not _is_detector(member)
    ]
    # While a group forms, Kafka does not show the subscriptions of its members.
    if foreign and group["group_state"] == _STABLE:
        raise FatalError(foreign_members_fault(group_id, foreign))
    return len(group["members"])


def _is_empty(admin: KafkaAdminClient, group_id: str) -> bool:
    """Whether nobody is in the group, by the list of all: kafka-python can't ask for this one."""
    states = [each["group_state"] for each in admin.list_groups() if each["group_id"] == group_id]
    return states == [_EMPTY]


def _is_detector(member: dict[str, Any]) -> bool:
    """By the user data of its subscription, which kafka-python decodes."""
    subscription = member["member_metadata"]
    return isinstance(subscription, dict) and subscription["user_data"] == DETECTOR_MARK.decode()


def newest_record_time(settings: Settings) -> float | None:
    """Time of the newest record in the input topics, seconds since the epoch.

    None without a record, with a missing topic, and before Kafka 3.0.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """

    def times(admin: KafkaAdminClient) -> list[int]:
        partitions = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in admin.describe_topics(settings.input_topic_names)
            for partition in topic["partitions"]
        ]
        try:
            found = admin.list_partition_offsets(dict.fromkeys(partitions, _MAX_TIMESTAMP))
        except KafkaError as error:
            if error.retriable:
                raise
            return []
        return [entry.timestamp for entry in found.values() if entry.timestamp > 0]

    return max(ask_kafka(settings, times), default=0) / 1000 or None
