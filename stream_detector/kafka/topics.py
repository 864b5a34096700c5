"""The topics the detector reads and writes: are they there, may they be used, make them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import (
    AuthorizationError,
    IncompatibleBrokerVersion,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from stream_detector.errors import RetryableError, TopicsError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.rights import Operation, Part, Right, rights_of
from stream_detector.limits import MESSAGE_BYTES_MAX
from stream_detector.settings.fields import Settings

__all__ = [
    "SAFE_REPLICAS",
    "TopicState",
    "check_topic",
    "check_topics",
    "cluster_id",
    "create_topics",
    "leaderless_partitions",
    "problems_at_start",
    "right_problems",
    "topic_problems",
]

_DAY_MS = 24 * 60 * 60 * 1000
_DEAD_LETTER_HEADERS_BYTES = 64 * 1024
"""Room for a dead letter's headers beside a record as large as its input topic takes."""

SAFE_REPLICAS = 3
"""With so many a record outlives any one broker, also while another is restarted."""
_BROKERS_DEFAULT = -1
_UNKNOWN_TOPIC = 3
_LEADER_NOT_AVAILABLE = 5
_TOPIC_AUTHORIZATION_FAILED = 29


@dataclass(frozen=True)
class TopicState:
    """A topic as it stands after ``create_topics``."""

    name: str
    created: bool
    """False: it was there before, and was left as it is."""
    partitions: int
    replication_factor: int


def cluster_id(settings: Settings) -> str:
    """The id that Kafka reports of its cluster.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials, or has no id (then ``cluster`` must be set).
    """
    found = ask_kafka(settings, lambda admin: admin.describe_cluster().get("cluster_id"))
    if not found:
        raise TopicsError("Kafka reports no cluster id, of which verdict ids are made: set cluster")
    return str(found)


def check_topics(settings: Settings) -> list[str]:
    """What is wrong with the topics, one fault a line; empty if the worker can use them all.

    Nothing is made, read or written. Kafka before 2.3 does not tell rights. Topics of labels are
    not looked at: a worker needs none.

    Raises:
        RetryableError: Kafka can't be reached, or a partition has no leader at the moment.
        FatalError: it refuses the credentials.
    """
    return topic_problems(settings, "detector")


def problems_at_start(settings: Settings) -> list[str]:
    """As ``check_topics``, but only what a worker can do nothing without.

    It begins with the input topics that are there, if there is one, and with the partitions that
    have a leader.

    Raises:
        RetryableError: Kafka can't be reached, or no input partition, or no partition of an output
            topic, has a leader at the moment.
        FatalError: it refuses the credentials.
    """
    uses = _topic_rights(settings, "detector")
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
    """What keeps this client from using the topics that ``part`` needs, one fault a line.

    Nothing is made, read or written. Kafka before 2.3 does not tell rights.

    Raises:
        RetryableError: as ``check_topics``.
        FatalError: as ``check_topics``.
    """
    return right_problems(settings, _topic_rights(settings, part))


def _topic_rights(settings: Settings, part: Part) -> list[Right]:
    return [right for right in rights_of(part, settings) if right.resource == "topic"]


def right_problems(
    settings: Settings, uses: Sequence[Right], *, missing_too: bool = True
) -> list[str]:
    """What keeps this client from using topics by the rights ``uses``, one fault a line.

    Topics with the same fault share a line. Without ``missing_too`` a topic that is not there is
    none. Raises as ``topic_problems``.
    """
    names = list(dict.fromkeys(right.name for right in uses))
    topics = ask_kafka(settings, lambda admin: _described(admin, names))
    for name in names:
        if (
            leaderless_partitions(topics[name])
            or topics[name]["error_code"] == _LEADER_NOT_AVAILABLE
        ):
            raise _no_leader(name)
    if not missing_too:
        uses = [right for right in uses if topics[right.name]["error_code"] != _UNKNOWN_TOPIC]
    return _problems(settings, uses, topics)


def _problems(
    settings: Settings, uses: Sequence[Right], topics: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    who = settings.sasl_username or "this client"
    # A topic that is needed for two operations is missing once.
    topics_by_fault: dict[_Fault, dict[str, None]] = {}
    for right in uses:
        for fault in _faults(topics[right.name], right.operation, who):
            topics_by_fault.setdefault(fault, {})[right.name] = None
    return [fault.of(list(names)) for fault, names in topics_by_fault.items()]


def check_topic(settings: Settings, name: str, *operations: Operation) -> None:
    """Whether the topic with the setting ``name`` is there and allows ``operations``.

    Raises:
        TopicsError: it is not, or does not.
        RetryableError: Kafka can't be reached, or a partition has no leader at the moment.
        FatalError: it refuses the credentials.
    """
    uses = [Right("topic", settings.topic(name), operation) for operation in operations]
    if problems := right_problems(settings, uses):
        raise TopicsError(problems[0])


def create_topics(settings: Settings) -> list[TopicState]:
    """Make the topics that are missing; those that are there stay as they are.

    Input, output and label topics get ``topic_partitions`` and ``topic_replication_factor``: where
    that is left at the default 3, if there are as many brokers, of which 2 must have each record.
    Input topics have the time at which Kafka got a record, as no shipper's clock can be trusted.
    Verdicts are kept 7 days, alerts and dead letters 30, labels for ever; dead letters may be
    larger than the input. Where a model store is set, the topic of announced models is made too
    (one partition, compacted), and that of comparisons with shadows, which are kept 30 days.

    Raises:
        RetryableError: Kafka can't be reached.
        TopicsError: Kafka refuses to make or to describe a topic.
        FatalError: it refuses the credentials.
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
            for name in (
                name for name in names if name not in missing
            ):  # Told before anything is made.
                _state(before[name], who, created=False)
            there = [name for name in settings.input_topic_names if name not in missing]
            configs = _configs(settings, _record_bytes_max(admin, there, who))
            replicas = _replicas(admin, settings)
            for name in missing:
                _create(admin, settings, name, replicas, configs.get(name, {}))
                created.add(name)
            admin.wait_for_topics(missing)
        after = _described(admin, names)
        if any(after[name]["error_code"] == _UNKNOWN_TOPIC for name in created):
            # Not every broker of a cluster knows a new topic at once.
            raise UnknownTopicOrPartitionError
        return [_state(after[name], who, created=name in created) for name in names]

    return ask_kafka(settings, create)


def _described(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    return {topic["name"]: topic for topic in admin.describe_topics(names)}


class _Fault(NamedTuple):
    """What follows the name of a topic in a message, and the names of several."""

    of_one: str
    of_several: str

    def of(self, names: Sequence[str]) -> str:
        """The message about the topics ``names``."""
        if len(names) == 1:
            return f"topic {names[0]} {self.of_one}"
        return f"topics {', '.join(names)} {self.of_several}"


_MISSING = _Fault(
    "is missing: `stream-detector topics create` makes it",
    "are missing: `stream-detector topics create` makes them",
)


def _faults(topic: Mapping[str, Any], operation: str, who: str) -> Iterator[_Fault]:
    """What keeps ``who`` from using a topic."""
    code = topic["error_code"]
    if code == _UNKNOWN_TOPIC:
        yield _MISSING
    elif code == _TOPIC_AUTHORIZATION_FAILED:
        yield _alike(f"may not be described: give {who} the rights DESCRIBE and {operation}")
    elif code not in {0, _LEADER_NOT_AVAILABLE}:
        yield _alike(f"can't be used: {for_code(code).__name__}")
    else:
        allowed = topic.get("authorized_operations")
        if allowed is not None and not {operation, "ALL"} & set(allowed):
            yield _alike(f"may not be used: give {who} the right {operation}")


def leaderless_partitions(topic: Mapping[str, Any]) -> list[int]:
    """Numbers of the partitions of a described topic that have no leader now."""
    return sorted(p["partition_index"] for p in topic["partitions"] if p["leader_id"] < 0)


def _has_leader(topic: Mapping[str, Any]) -> bool:
    return any(partition["leader_id"] >= 0 for partition in topic["partitions"])


def _no_leader(*names: str) -> RetryableError:
    return RetryableError(
        f"topic {', '.join(names)} has partitions without a leader: wait for its brokers"
    )


def _alike(text: str) -> _Fault:
    return _Fault(text, text)


def _configs(settings: Settings, input_bytes_max: int) -> dict[str, dict[str, str]]:
    """The settings of topics that differ from the broker's defaults."""
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
        # Few and dear; a label store can be filled anew from them.
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
    """The longest record that any of the topics ``names`` takes, bytes."""
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
                f"topic {name} does not tell its max.message.bytes, which dead letters follow: "
                f"give {who} the right DESCRIBE_CONFIGS"
            )
    return max(int(configs[name]["max.message.bytes"]["value"]) for name in names)


def _replicas(admin: KafkaAdminClient, settings: Settings) -> int:
    """As the settings say, or else safe where there are brokers enough, or else the default."""
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
        # One partition has one order of what was announced.
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
    except IncompatibleBrokerVersion as error:
        raise TopicsError(
            f"this Kafka can't make topic {name} with its default number of replicas: set "
            "topic_replication_factor"
        ) from error
    except AuthorizationError as error:
        raise TopicsError(
            f"topic {name} may not be made: give {settings.sasl_username or 'this client'} the "
            "right CREATE"
        ) from error
    except KafkaError as error:
        if error.retriable:
            raise
        raise TopicsError(
            f"Kafka refuses to make topic {name} ({type(error).__name__}): check the rights of "
            f"{settings.sasl_username or 'this client'} and the broker's limits"
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
