"""Whether the topics keep their records and record true times: questions of ``doctor``."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.topics import SAFE_REPLICAS, leaderless_partitions
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted

_IN_SYNC, _TIMESTAMPS = "min.insync.replicas", "message.timestamp.type"
_BY_KAFKA = "LogAppendTime"


class TopicSafety(NamedTuple):
    """Faults of the existing topics, one sentence a kind with topics and remedy; empty if none."""

    looked_at: int
    """The number of existing topics."""
    leaderless: Sequence[str]
    """Sentences about partitions that can't be read or written now."""
    replicas: str
    in_sync: str
    timestamps: str


class _Found(NamedTuple):
    topics: Mapping[str, Mapping[str, Any]]
    configs: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """By topic; without topics whose settings this client may not see."""
    brokers: int


def topic_safety(settings: Settings, names: Sequence[str]) -> TopicSafety:
    """Look at those of the topics ``names`` that exist.

    Raises:
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """

    def ask(admin: KafkaAdminClient) -> _Found:
        described = admin.describe_topics(list(names))
        there = {topic["name"]: topic for topic in described if not topic["error_code"]}
        wanted = [_IN_SYNC, _TIMESTAMPS]
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in there]
        configs = admin.describe_configs(resources, config_filter="all") if resources else {}
        brokers = len(admin.describe_cluster()["brokers"])
        return _Found(there, configs.get("topic", {}), brokers)

    found = ask_kafka(settings, ask)
    command = (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers[0]} --alter "
        "--entity-type topics --entity-name NAME --add-config"
    )
    return TopicSafety(
        looked_at=len(found.topics),
        leaderless=list(_leaderless(found)),
        replicas=_replicas(found),
        in_sync=_unknown(found, _IN_SYNC, settings) or _in_sync(found, command),
        timestamps=_unknown(found, _TIMESTAMPS, settings)
        or _timestamps(found, settings.input_topic_names, command),
    )


def _leaderless(found: _Found) -> Iterator[str]:
    for name, topic in found.topics.items():
        if numbers := leaderless_partitions(topic):
            yield (
                f"topic {name} has no leader for {len(numbers)} of "
                f"{counted(len(topic['partitions']), 'partition')} "
                f"({', '.join(map(str, numbers))}): bring back a broker that has them"
            )


def _replicas(found: _Found) -> str:
    by_count: defaultdict[int, list[str]] = defaultdict(list)
    for name, topic in found.topics.items():
        if (count := _replicas_of(topic)) < SAFE_REPLICAS:
            by_count[count].append(name)
    if not by_count:
        return ""
    few = "; ".join(
        f"{counted(count, 'replica')} of {', '.join(names)}"
        for count, names in sorted(by_count.items())
    )
    brokers = "" if found.brokers >= SAFE_REPLICAS else f"give Kafka {SAFE_REPLICAS} brokers, and "
    return (
        f"{few}: records are lost with a broker's disk; {brokers}give these topics "
        f"{SAFE_REPLICAS} replicas by kafka-reassign-partitions.sh"
    )


def _replicas_of(topic: Mapping[str, Any]) -> int:
    return min((len(p["replica_nodes"]) for p in topic["partitions"]), default=0)


def _unknown(found: _Found, name: str, settings: Settings) -> str:
    unknown = [topic for topic in found.topics if name not in found.configs.get(topic, {})]
    if not unknown:
        return ""
    return (
        f"{name} of {', '.join(unknown)} is not known: give "
        f"{settings.sasl_username or 'this client'} the right DESCRIBE_CONFIGS to have it checked"
    )


def _in_sync(found: _Found, command: str) -> str:
    """With one replica there is nothing to set."""
    one, every = [], []
    for name, topic in found.topics.items():
        replicas, least = _replicas_of(topic), int(found.configs[name][_IN_SYNC]["value"])
        if replicas >= SAFE_REPLICAS and least < 2:
            one.append(name)
        elif replicas > 1 and least >= replicas:
            every.append(name)
    faults = []
    if one:
        faults.append(
            f"{', '.join(one)}: a record that is confirmed may be on one disk alone; {command} "
            f"{_IN_SYNC}=2"
        )
    if every:
        faults.append(
            f"{', '.join(every)}: can't be written while one broker is away; {command} "
            f"{_IN_SYNC} of one less than the replicas"
        )
    return "; ".join(faults)


def _timestamps(found: _Found, inputs: Sequence[str], command: str) -> str:
    by_shippers = [
        name
        for name in inputs
        if name in found.topics and found.configs[name][_TIMESTAMPS]["value"] != _BY_KAFKA
    ]
    if not by_shippers:
        return ""
    return (
        f"{', '.join(by_shippers)}: the shippers' clocks decide what is late; {command} "
        f"{_TIMESTAMPS}={_BY_KAFKA}"
    )
