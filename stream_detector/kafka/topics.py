"""The topics that the detector reads and writes: checks that they exist and may be used, and
creates them.

Unless a docstring says otherwise, the functions raise as ``ask_kafka``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from stream_detector.errors import RetryableError, TopicsError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.rights import Operation, Part, Right, topic_rights
from stream_detector.limits import MESSAGE_BYTES_MAX
from stream_detector.settings.fields import Settings

_DAY_MS = 24 * 60 * 60 * 1000
_DEAD_LETTER_HEADERS_BYTES = 64 * 1024
"""Room for a dead letter's headers, in addition to the largest record of its input topic."""

SAFE_REPLICAS = 3
"""With three a record outlives any one broker, also while another one restarts."""
_BROKERS_DEFAULT = -1
_MISSING = "is missing"
_UNKNOWN_TOPIC = 3
_LEADER_NOT_AVAILABLE = 5
_TOPIC_AUTHORIZATION_FAILED = 29


@dataclass(frozen=True)
class TopicState:
    """A topic after ``create_topics``."""

    name: str
    created: bool
    """False: it existed before, and stays as it is."""
    partitions: int
    replication_factor: int


def cluster_id(settings: Settings) -> str:
    """The id that Kafka reports for its cluster."""
    return str(ask_kafka(settings, lambda admin: admin.describe_cluster()["cluster_id"]))


def problems_at_start(settings: Settings) -> list[str]:
    """As ``topic_problems`` of a detector, but only faults with which it can do nothing.

    It starts with one existing input topic, and with the partitions that have a leader.

    Raises:
        RetryableError: Kafka can't be reached, or no input partition, or no partition of an output
            topic, has a leader at the moment.
    """
    uses = topic_rights("detector", settings)
    names, inputs = list({right.name: None for right in uses}), settings.input_topic_names
    topics = ask_kafka(settings, lambda admin: _described(admin, names))
    missing = {name for name in inputs if topics[name]["error_code"] == _UNKNOWN_TOPIC}
    if len(missing) < len(inputs):
        uses = [right for right in uses if right.name not in missing]
    problems = _problems(settings, uses, topics)
    if not problems:
        read = [topics[name] for name in inputs if name not in missing]
        if not any(_has_leader(topic) for topic in read):
            raise _no_leader(*inputs)
        for name in names:
            if name not in inputs and not _has_leader(topics[name]):
                raise _no_leader(name)
    return problems


def topic_problems(settings: Settings, part: Part) -> list[str]:
    """Why this client can't use the topics that ``part`` needs, one fault a line.

    Creates, reads and writes nothing.

    Raises:
        RetryableError: Kafka can't be reached, or a partition has no leader at the moment.
    """
    return right_problems(settings, topic_rights(part, settings))


def right_problems(
    settings: Settings, uses: Sequence[Right], *, missing_too: bool = True
) -> list[str]:
    """Why this client can't use topics by the rights ``uses``, one fault a line.

    Topics with the same fault share a line. Without ``missing_too`` a missing topic is no fault.
    Raises as ``topic_problems``.
    """
    names = list(dict.fromkeys(right.name for right in uses))
    topics = ask_kafka(settings, lambda admin: _described(admin, names))
    for name in names:
        topic = topics[name]
        if leaderless_partitions(topic) or topic["error_code"] == _LEADER_NOT_AVAILABLE:
            raise _no_leader(name)
    if not missing_too:
        uses = [right for right in uses if topics[right.name]["error_code"] != _UNKNOWN_TOPIC]
    return _problems(settings, uses, topics)


def _problems(
    settings: Settings, uses: Sequence[Right], topics: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    who = settings.sasl_username or "this client"
    # A topic that is needed for two operations is missing once.
    topics_by_fault: dict[str, dict[str, None]] = {}
    for right in uses:
        for fault in _faults(topics[right.name], right.operation, who):
            topics_by_fault.setdefault(fault, {})[right.name] = None
    return [
        missing_topics_fault(list(names))
        if fault == _MISSING
        else f"topic{'s' if len(names) > 1 else ''} {', '.join(names)} {fault}"
        for fault, names in topics_by_fault.items()
    ]


def check_topic(settings: Settings, name: str, *operations: Operation) -> None:
    """Check that the topic with the setting ``name`` exists and allows ``operations``.

    Raises:
        TopicsError: it does not.
        RetryableError: Kafka can't be reached, or a partition has no leader at the moment.
    """
    uses = [Right("topic", settings.topic(name), operation) for operation in operations]
    if problems := right_problems(settings, uses):
        raise TopicsError(problems[0])


def create_topics(settings: Settings) -> list[TopicState]:
    """Create the missing topics; existing ones stay as they are.

    Input, output and label topics get ``topic_partitions`` and ``topic_replication_factor``; its
    default is 3 with three or more brokers, of which 2 must have each record. Input topics record
    the time at which Kafka received a record, as no shipper's clock can be trusted. Verdicts are
    kept 7 days, alerts and dead letters 30, labels for ever; dead letters may be larger than the
    input. With a model store come the topic of announced models (one partition, compacted) and
    that of comparisons with shadows (30 days).

    Raises:
        TopicsError: Kafka refuses to create or to describe a topic.
    """
    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.label_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    who = settings.sasl_username or "this client"
    created: set[str] = set()

    def create(admin: KafkaAdminClient) -> list[TopicState]:
        before = _described(admin, names)
        missing = [name for name in names if before[name]["error_code"] == _UNKNOWN_TOPIC]
        if missing:
            for name in names:
                if name not in missing:
                    _state(before[name], who, created=False)  # Raises before anything is created.
            there = [name for name in settings.input_topic_names if name not in missing]
            configs = _configs(settings, _record_bytes_max(admin, there, who))
            replicas = _replicas(admin, settings)
            for name in missing:
                _create(admin, settings, name, replicas, configs.get(name, {}))
                created.add(name)
            admin.wait_for_topics(missing)
        after = _described(admin, names)
        if any(after[name]["error_code"] == _UNKNOWN_TOPIC for name in created):
            # Not every broker knows a new topic at once: ``ask_kafka`` asks again.
            raise UnknownTopicOrPartitionError
        return [_state(after[name], who, created=name in created) for name in names]

    return ask_kafka(settings, create)


def _described(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    return {topic["name"]: topic for topic in admin.describe_topics(names)}


def missing_topics_fault(names: Sequence[str]) -> str:
    """A sentence about the missing topics ``names``, with the remedy; empty without any."""
    if not names:
        return ""
    if len(names) == 1:
        return f"topic {names[0]} is missing: `stream-detector topics create` makes it"
    return f"topics {', '.join(names)} are missing: `stream-detector topics create` makes them"


def _faults(topic: Mapping[str, Any], operation: str, who: str) -> Iterator[str]:
    """Why ``who`` can't use a topic."""
    code = topic["error_code"]
    if code == _UNKNOWN_TOPIC:
        yield _MISSING
    elif code == _TOPIC_AUTHORIZATION_FAILED:
        yield f"may not be described: give {who} the rights DESCRIBE and {operation}"
    elif code not in {0, _LEADER_NOT_AVAILABLE}:
        yield f"can't be used: {for_code(code).__name__}"
    else:
        allowed = topic.get("authorized_operations")
        if allowed is not None and not {operation, "ALL"} & set(allowed):
            yield f"may not be used: give {who} the right {operation}"


def leaderless_partitions(topic: Mapping[str, Any]) -> list[int]:
    """Numbers of the partitions of a described topic without a leader."""
    return sorted(p["partition_index"] for p in topic["partitions"] if p["leader_id"] < 0)


def _has_leader(topic: Mapping[str, Any]) -> bool:
    return any(partition["leader_id"] >= 0 for partition in topic["partitions"])


def _no_leader(*names: str) -> RetryableError:
    return RetryableError(
        f"topic {', '.join(names)} has partitions without a leader: wait for its brokers"
    )


def _configs(settings: Settings, input_bytes_max: int) -> dict[str, dict[str, str]]:
    """The topic settings that differ from the broker's defaults."""
    verdicts, alerts, dead_letters = settings.output_topic_names
    labels, feed_labels, label_dead_letters = settings.label_topic_names
    return {
        **{
            name: {"message.timestamp.type": "LogAppendTime"} for name in settings.input_topic_names
        },
        verdicts: {"retention.ms": str(7 * _DAY_MS), "compression.type": "zstd"},
        alerts: {"retention.ms": str(30 * _DAY_MS)},
        dead_letters: {
            "retention.ms": str(30 * _DAY_MS),
            "max.message.bytes": str(input_bytes_max + _DEAD_LETTER_HEADERS_BYTES),
        },
        # Few, and made by people; a label store can be filled again from them.
        labels: {"retention.ms": "-1"},
        feed_labels: {"retention.ms": "-1"},
        label_dead_letters: {
            "retention.ms": str(30 * _DAY_MS),
            "max.message.bytes": str(MESSAGE_BYTES_MAX + _DEAD_LETTER_HEADERS_BYTES),
        },
        **{name: {"cleanup.policy": "compact"} for name in settings.announcement_topic_names},
        **{name: {"retention.ms": str(30 * _DAY_MS)} for name in settings.shadow_topic_names},
    }


def _record_bytes_max(admin: KafkaAdminClient, names: list[str], who: str) -> int:
    """The longest record that any of the topics ``names`` accepts, in bytes."""
    if not names:
        return MESSAGE_BYTES_MAX
    found = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, ["max.message.bytes"]) for name in names],
        config_filter="all",
    )
    configs = found.get("topic", {})
    for name in names:
        # kafka-python drops the error that Kafka gives for each topic.
        if "max.message.bytes" not in configs.get(name, {}):
            raise TopicsError(
                f"topic {name} does not show its max.message.bytes, which dead letters follow: "
                f"give {who} the right DESCRIBE_CONFIGS"
            )
    return max(int(configs[name]["max.message.bytes"]["value"]) for name in names)


def _replicas(admin: KafkaAdminClient, settings: Settings) -> int:
    """As set; by default safe with enough brokers, or else the brokers' own default."""
    if settings.topic_replication_factor != _BROKERS_DEFAULT:
        return settings.topic_replication_factor
    brokers = len(admin.describe_cluster()["brokers"])
    return SAFE_REPLICAS if brokers >= SAFE_REPLICAS else _BROKERS_DEFAULT


def _create(
    admin: KafkaAdminClient,
    settings: Settings,
    name: str,
    replicas: int,
    configs: Mapping[str, str],
) -> None:
    if replicas >= SAFE_REPLICAS:
        # A record is confirmed when two brokers have it, and one may be away.
        configs = {"min.insync.replicas": "2", **configs}
    topic = NewTopic(
        name=name,
        # Announcements have one order only within one partition.
        num_partitions=(
            1 if name in settings.announcement_topic_names else settings.topic_partitions
        ),
        replication_factor=replicas,
        topic_configs=dict(configs),
    )
    try:
        admin.create_topics([topic])
    except TopicAlreadyExistsError:
        return  # Another process was faster.
    except InvalidReplicationFactorError as error:
        raise TopicsError(
            f"topic {name} can't have {settings.topic_replication_factor} replicas: set "
            "topic_replication_factor to at most the number of brokers"
        ) from error
    except AuthorizationError as error:
        raise TopicsError(
            f"topic {name} may not be created: give {settings.sasl_username or 'this client'} the "
            "right CREATE"
        ) from error
    except KafkaError as error:  # Such as the policy of a managed cluster.
        if error.retriable:
            raise
        raise TopicsError(
            f"Kafka refuses to create topic {name} ({type(error).__name__}): check the rights of "
            f"{settings.sasl_username or 'this client'} and the cluster's limits"
        ) from error


def _state(topic: Mapping[str, Any], who: str, *, created: bool) -> TopicState:
    if topic["error_code"]:
        raise TopicsError(
            f"topic {topic['name']} can't be described ({for_code(topic['error_code']).__name__}): "
            f"give {who} the rights DESCRIBE and CREATE"
        )
    partitions = topic["partitions"]
    return TopicState(
        name=topic["name"],
        created=created,
        partitions=len(partitions),
        replication_factor=min((len(p["replica_nodes"]) for p in partitions), default=0),
    )
