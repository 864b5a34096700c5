"""What `doctor` asks of Kafka beyond the topics, without joining, reading or writing anything."""

import time
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import (
    AuthorizationError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
)

from stream_detector.kafka.admin import connected_admin
from stream_detector.kafka.retry import back_off
from stream_detector.settings import Settings

__all__ = ["group_problem", "newest_record_time"]

_COORDINATOR_SECONDS = 5.0
_MAX_TIMESTAMP = -3
"""ListOffsets: the record with the latest time, KIP-734, Kafka 3.0."""


def group_problem(settings: Settings, group_id: str) -> str:
    """What keeps this client from joining a consumer group; empty if nothing is known to.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """
    who = settings.sasl_username or "this client"
    fault = f"group {group_id} may not be joined: give {who} the right READ on the group"
    with connected_admin(settings) as admin:
        try:
            group = _described_group(admin, group_id)
        except AuthorizationError:
            return fault
    allowed = group.get("authorized_operations")
    return "" if allowed is None or {"READ", "ALL"} & set(allowed) else fault


def _described_group(admin: KafkaAdminClient, group_id: str) -> dict[str, Any]:
    """The group; a new cluster first has to make the topic that groups are kept in."""
    deadline = time.monotonic() + _COORDINATOR_SECONDS
    for pause in back_off():
        try:
            group: dict[str, Any] = admin.describe_groups([group_id])[group_id]
            return group
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError):
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
    raise AssertionError("back_off has no end")


def newest_record_time(settings: Settings) -> float | None:
    """Time of the newest record in the input topics, seconds since the epoch.

    None if there is no record, a topic is missing, or Kafka is older than 3.0.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """
    with connected_admin(settings) as admin:
        partitions = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in admin.describe_topics(settings.input_topic_names)
            for partition in topic["partitions"]
        ]
        try:
            found = admin.list_partition_offsets(dict.fromkeys(partitions, _MAX_TIMESTAMP))
        except KafkaError:
            return None
    times = [entry.timestamp for entry in found.values() if entry.timestamp > 0]
    return max(times) / 1000 if times else None
