"""What `doctor` checks of Kafka: brokers, topics, the consumer group and the clocks.

Nothing is made, read or written in Kafka, and no consumer group is joined.
"""

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import NamedTuple

from stream_detector.errors import FatalError, StreamDetectorError
from stream_detector.kafka.inspection import bootstrap_faults, group_members, newest_record_time
from stream_detector.kafka.topic_safety import topic_safety
from stream_detector.kafka.topics import cluster_id, topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted

__all__ = ["Finding", "check", "kafka_findings"]

_BOOTSTRAP_MS = 3_000
"""For a broker's first answer: a person waits for the line."""
_FIRST_ANSWER_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
"""For a check of a Kafka that has answered before; a new one first makes topics of its own."""
_AHEAD_MAX_SECONDS = 5.0
"""Records further in the future than this: a clock is wrong, and ages and lag mislead."""


class Finding(NamedTuple):
    """The result of one check."""

    subject: str
    ok: bool
    text: str
    """What was found, or what is wrong and what to do."""
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

    Where Kafka can't be reached, the other checks would only repeat it.
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
    """What ``look`` returns; None if it takes longer."""
    found: SimpleQueue[list[Finding]] = SimpleQueue()
    # A daemon thread: the command ends although a client may still wait for Kafka.
    threading.Thread(target=lambda: found.put(look()), daemon=True).start()
    try:
        return found.get(timeout=seconds)
    except Empty:
        return None


def _broker(settings: Settings) -> str:
    """One address that answers is enough: the others may be away for a while."""
    cluster, faults = cluster_id(settings), bootstrap_faults(settings)
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
