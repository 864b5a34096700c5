"""The checks of `doctor` in Kafka: brokers, topics, the consumer group and the clocks.

They create, read and write nothing, and join no consumer group.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import AuthorizationError, KafkaError

from stream_detector.errors import FatalError, StreamDetectorError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.group_members import DETECTOR_MARK, foreign_members_fault
from stream_detector.kafka.probing import broker_faults
from stream_detector.kafka.topics import (
    SAFE_REPLICAS,
    cluster_id,
    leaderless_partitions,
    topic_problems,
)
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.printable import printable

_BOOTSTRAP_MS = 3_000
"""For the first answer of a broker: a person waits for the line."""
_FIRST_ANSWER_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
"""For later checks; a new Kafka first creates topics of its own."""
_AHEAD_MAX_SECONDS = 5.0
"""Records further in the future than this: a clock is wrong, and ages and lag mislead."""

_STABLE, _EMPTY = "Stable", "Empty"
_NEW_PROTOCOL = "is not a classic group"
"""Kafka 4.0 and newer say so about a group with a consumer of the new protocol (KIP-848)."""
_MAX_TIMESTAMP = -3
"""ListOffsets: the record with the latest time (KIP-734, since Kafka 3.0)."""
_IN_SYNC, _TIMESTAMPS = "min.insync.replicas", "message.timestamp.type"
_BY_KAFKA = "LogAppendTime"


class Finding(NamedTuple):
    """The result of one check."""

    subject: str
    ok: bool
    text: str
    """The result, or the fault and the remedy."""
    is_warning: bool = False
    """The worker runs, but may lose records or show misleading figures."""


def check(subject: str, look: Callable[[Settings], str], settings: Settings) -> Finding:
    """A finding of the text that ``look`` returns, or a failed one of the error it raises."""
    try:
        return Finding(subject, True, look(settings))
    except StreamDetectorError as error:
        return Finding(subject, False, str(error))


def kafka_findings(settings: Settings) -> Iterator[Finding]:
    """The findings as they come, each within seconds; after a failure of the first, no others.

    While Kafka can't be reached, the other checks would only repeat it.
    """
    options = {"bootstrap_timeout_ms": str(_BOOTSTRAP_MS), **settings.kafka_options}
    settings = settings.model_copy(update={"kafka_options": options})
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("Kafka", lambda: [check("Kafka", _broker, settings)]),
        ("topics", lambda: list(_topics(settings))),
        ("group", lambda: [check("group", _group, settings)]),
        ("clock", lambda: [check("clock", _clock, settings)]),
    ]
    seconds = _FIRST_ANSWER_SECONDS
    for subject, look in checks:
        findings = _in_time(look, seconds)
        if findings is None:
            text = f"Kafka has not answered within {seconds:.0f} s: look at its brokers' logs"
            yield Finding(subject, False, text)
            return
        yield from findings
        if subject == "Kafka" and not findings[0].ok:
            return
        seconds = _ANSWER_SECONDS


def _in_time(look: Callable[[], list[Finding]], seconds: float) -> list[Finding] | None:
    """The result of ``look``; None if it takes longer."""
    found: SimpleQueue[list[Finding]] = SimpleQueue()
    # A daemon thread: the command ends although a client may still wait for Kafka.
    threading.Thread(target=lambda: found.put(look()), daemon=True).start()
    try:
        return found.get(timeout=seconds)
    except Empty:
        return None


def _broker(settings: Settings) -> str:
    """One address that answers is enough: the others may be away for a while."""
    cluster, options = cluster_id(settings), client_options(settings)
    # A probe can't go through a proxy.
    faults = (
        {}
        if options.get("proxy_url")
        else broker_faults(settings.bootstrap_servers, options.get("ssl_context"))
    )
    answering = [each for each in settings.bootstrap_servers if each not in faults]
    text = f"cluster {cluster} at {', '.join(answering) or 'none of bootstrap_servers now'}"
    if not faults:
        return text
    silent = "; ".join(f"{address}: {fault}" for address, fault in faults.items())
    return (
        f"{text}; warning: bootstrap_servers has addresses that do not answer ({silent}): check "
        "that the brokers run, or take those out"
    )


# --- topics ---------------------------------------------------------------------------------


class _Found(NamedTuple):
    topics: Mapping[str, Mapping[str, Any]]
    """The topics that exist."""
    configs: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """By topic; without topics whose settings this client may not see."""
    brokers: int


def _topics(settings: Settings) -> Iterator[Finding]:
    """A finding for each kind of fault, with the topics that have it."""
    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    try:
        found = ask_kafka(settings, lambda admin: _found(admin, names))
        problems = list(_leaderless(found)) or topic_problems(settings, "detector")
    except StreamDetectorError as error:
        yield Finding("topics", False, str(error))
        return
    for problem in problems:
        yield Finding("topics", False, problem)
    if not problems:
        yield Finding("topics", True, ", ".join(names))
    if not found.topics:
        return
    command = (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers[0]} --alter "
        "--entity-type topics --entity-name NAME --add-config"
    )
    few = _few_replicas(found)
    yield _warning("replicas", few, "3 or more of each topic")
    in_sync = _unknown(found, _IN_SYNC, settings) or _in_sync(found, command)
    # With too few replicas a record can't outlive a broker, whatever min.insync.replicas is: the
    # line above already warns.
    if in_sync or not few:
        yield _warning("in sync", in_sync, "a record that is confirmed outlives a broker")
    timestamps = _unknown(found, _TIMESTAMPS, settings)
    timestamps = timestamps or _timestamps(found, settings.input_topic_names, command)
    yield _warning("timestamps", timestamps, "Kafka's clock decides what is late")


def _warning(subject: str, warning: str, otherwise: str) -> Finding:
    return Finding(subject, True, warning or otherwise, is_warning=bool(warning))


def _found(admin: KafkaAdminClient, names: list[str]) -> _Found:
    described = admin.describe_topics(names)
    there = {topic["name"]: topic for topic in described if not topic["error_code"]}
    wanted = [_IN_SYNC, _TIMESTAMPS]
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in there]
    configs = admin.describe_configs(resources, config_filter="all") if resources else {}
    return _Found(there, configs.get("topic", {}), len(admin.describe_cluster()["brokers"]))


def _leaderless(found: _Found) -> Iterator[str]:
    for name, topic in found.topics.items():
        if numbers := leaderless_partitions(topic):
            yield (
                f"topic {name} has no leader for {len(numbers)} of "
                f"{counted(len(topic['partitions']), 'partition')} "
                f"({', '.join(map(str, numbers))}): bring back a broker that has them"
            )


def _few_replicas(found: _Found) -> str:
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
            f"{', '.join(one)}: a record that is confirmed may be on only one disk; {command} "
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


# --- group and clock ------------------------------------------------------------------------


def _group(settings: Settings) -> str:
    detectors = group_members(settings, settings.group_id)
    return f"{settings.group_id} may be joined, and has {counted(detectors, 'detector')} now"


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


def _clock(settings: Settings) -> str:
    """Kafka has no request for its time, but its newest record can't be from the future."""
    newest = newest_record_time(settings)
    if newest is None:
        return "no record yet to compare it with"
    age = time.time() - newest
    if age < -_AHEAD_MAX_SECONDS:
        raise FatalError(
            f"the newest record is {-age:.0f} s in the future: set this machine's clock, or that "
            "of the producers, by NTP"
        )
    return f"the newest record is {max(age, 0):.0f} s old"


def newest_record_time(settings: Settings) -> float | None:
    """Time of the newest record in the input topics, seconds since the epoch.

    None without a record, with a missing topic, and before Kafka 3.0. Raises as ``ask_kafka``.
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
