"""The checks of `doctor` in Kafka: brokers, topics, the consumer group and the clocks.

They create, read and write nothing, and join no consumer group.
"""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import AuthorizationError, KafkaError

from stream_detector.errors import FatalError, StreamDetectorError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.group_mark import DETECTOR_MARK, foreign_members_fault
from stream_detector.kafka.probing import Fault, broker_faults
from stream_detector.kafka.topic_safety import topic_safety
from stream_detector.kafka.topics import cluster_id, topic_problems
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
    cluster, faults = cluster_id(settings), _bootstrap_faults(settings)
    answering = [each for each in settings.bootstrap_servers if each not in faults]
    text = f"cluster {cluster} at {', '.join(answering) or 'none of bootstrap_servers now'}"
    if not faults:
        return text
    silent = "; ".join(f"{address}: {fault}" for address, fault in faults.items())
    return (
        f"{text}; warning: bootstrap_servers has addresses that do not answer ({silent}): check "
        "that the brokers run, or take those out"
    )


def _topics(settings: Settings) -> Iterator[Finding]:
    """A line for each kind of fault, with the topics that have it."""
    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    try:
        safety = topic_safety(settings, names)
        problems = safety.leaderless or topic_problems(settings, "detector")
    except StreamDetectorError as error:
        yield Finding("topics", False, str(error))
        return
    for problem in problems:
        yield Finding("topics", False, problem)
    if not problems:
        yield Finding("topics", True, ", ".join(names))
    if not safety.looked_at:
        return
    yield _warning("replicas", safety.replicas, "3 or more of each topic")
    # With too few replicas a record can't outlive a broker, whatever min.insync.replicas is set
    # to: the line above already warns.
    if safety.in_sync or not safety.replicas:
        yield _warning("in sync", safety.in_sync, "a record that is confirmed outlives a broker")
    yield _warning("timestamps", safety.timestamps, "Kafka's clock decides what is late")


def _warning(subject: str, warning: str, otherwise: str) -> Finding:
    return Finding(subject, True, warning or otherwise, is_warning=bool(warning))


def _group(settings: Settings) -> str:
    detectors = group_members(settings, settings.group_id)
    return f"{settings.group_id} may be joined, and has {counted(detectors, 'detector')} now"


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


# --- questions to Kafka ---------------------------------------------------------------------


def _bootstrap_faults(settings: Settings) -> dict[str, Fault]:
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
