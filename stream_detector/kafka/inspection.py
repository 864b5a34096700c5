"""What `doctor` asks of Kafka beyond the topics, without joining, reading or writing anything."""

from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.probing import Fault, broker_faults
from stream_detector.settings import Settings

__all__ = ["bootstrap_faults", "group_problem", "newest_record_time"]

_MAX_TIMESTAMP = -3
"""ListOffsets: the record with the latest time, KIP-734, Kafka 3.0."""


def bootstrap_faults(settings: Settings) -> dict[str, Fault]:
    """What keeps from each of ``bootstrap_servers`` that does not answer; none behind a proxy."""
    options = kafka_python_options(settings)
    if options.get("proxy_url"):
        return {}
    return broker_faults(settings.bootstrap_servers, options.get("ssl_context"))


def group_problem(settings: Settings, group_id: str) -> str:
    """What keeps this client from joining a consumer group; empty if nothing is known to.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """
    who = settings.sasl_username or "this client"
    fault = f"group {group_id} may not be joined: give {who} the right READ on the group"

    def problem(admin: KafkaAdminClient) -> str:
        try:
            # A new cluster first has to make the topic that groups are kept in: asked again.
            group: dict[str, Any] = admin.describe_groups([group_id])[group_id]
        except AuthorizationError:
            return fault
        allowed = group.get("authorized_operations")
        return "" if allowed is None or {"READ", "ALL"} & set(allowed) else fault

    return ask_kafka(settings, problem)


def newest_record_time(settings: Settings) -> float | None:
    """Time of the newest record in the input topics, seconds since the epoch.

    None if there is no record, a topic is missing, or Kafka is older than 3.0.

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
