"""Whether a running worker does its work: its topics, its group, and the answer of ``/readyz``.

The monitors run on the event loop. Each has ``fault``, a sentence with the remedy, or an empty
text. While Kafka is away they know nothing new, and keep what they knew.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple

from faust.types import TP

from stream_detector.kafka.consumer_thread import ChunkConsumerThread
from stream_detector.kafka.group_members import GroupView, Member, foreign_members_fault
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.reachability import ReachMonitor
from stream_detector.kafka.topic_identity import SeenTopic, is_of_another_topic
from stream_detector.kafka.topics import missing_topics_fault
from stream_detector.logs.libraries import KAFKA_FAULTS
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0
"""Between two requests: so soon the worker reads a topic that is back, or new partitions."""
_PEEK_SECONDS = 1.0
"""Between two looks at the consumer's own knowledge of topics, which cost nothing."""
_REPEAT_SECONDS = 60.0
"""After this time a fault that stays is logged again."""
_ANSWER_SECONDS = 10.0
_NEWS_SECONDS = 60.0
"""Older observations of the group are not shown: other workers may know better, and alerts take
the maximum."""


class TopicMonitor:
    """Notices input topics that are deleted, created again, or given more partitions.

    aiokafka asks for topics every five minutes, and logs nothing about a topic that comes back.
    """

    def __init__(
        self,
        names: Collection[str],
        consumer: Callable[[], ChunkConsumerThread],
        *,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """``consumer`` returns the consumer once the app has started; ``clock`` in seconds."""
        self._names = list(names)
        self._consumer = consumer
        self._metrics = metrics
        self._clock = clock
        self._seen: dict[str, SeenTopic] = {}
        """Each topic as it was last seen."""
        self._missing: list[str] = []
        self._logged_at = 0.0
        self.fault = ""

    @property
    def none_is_there(self) -> bool:
        """Whether all topics are missing."""
        return len(self._missing) == len(self._names)

    async def run(self) -> None:
        """Look every 10 s, or within 1 s if the consumer misses a topic, until cancelled."""
        due = self._clock()
        while True:
            await asyncio.sleep(_PEEK_SECONDS)
            is_news = not self._missing and bool(self._consumer().unknown_topics())
            if is_news or self._clock() >= due:
                await self.look()
                due = self._clock() + _LOOK_SECONDS

    async def look(self) -> None:
        """Look once, and log changes."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                seen = await self._consumer().look_at_topics(self._names)
        except Exception as error:  # noqa: BLE001 - any reason: nothing is known
            logger.debug("input topics not known: %r", error)
            return
        before, self._missing = self._missing, [name for name in self._names if name not in seen]
        for name in self._names:
            self._metrics.input_topic_missing.labels(name).set(name in self._missing)
            if name in seen:
                _log_change(name, self._seen.get(name), seen[name], was_missing=name in before)
        self._seen |= seen
        self.fault = missing_topics_fault(self._missing)
        now = self._clock()
        KAFKA_FAULTS.report("topics", present=bool(self._missing), now=now)
        if self._missing and (self._missing != before or now - self._logged_at >= _REPEAT_SECONDS):
            self._logged_at = now
            meanwhile = (
                "reading goes on when it is there"
                if self.none_is_there
                else "the other input topics are read, and this one when it is there"
            )
            logger.error("%s; %s", self.fault, meanwhile)


_IDS_COME_AGAIN = (
    "the verdict ids of the deleted topic come again, `--cluster NAME` with another name keeps "
    "the new ones apart"
)
"""An id consists of cluster, topic, partition and offset, and the offsets begin at 0 again."""


def _log_change(name: str, before: SeenTopic | None, now: SeenTopic, *, was_missing: bool) -> None:
    partitions = counted(now.partitions, "partition")
    is_another = before is not None and is_of_another_topic(before.identity, now.identity)
    if was_missing and before is None:
        logger.info("topic %s is there now, with %s: it is read", name, partitions)
    elif was_missing or is_another:
        logger.warning(
            "topic %s %s, with %s: reading goes on%s",
            name,
            "is there again" if was_missing else "was deleted and created again",
            partitions,
            f" from its beginning; {_IDS_COME_AGAIN}" if is_another else "",
        )
    elif before is not None and before.partitions != now.partitions:
        logger.info(
            "topic %s has %s now and had %d: the group shares them out",
            name,
            partitions,
            before.partitions,
        )


class GroupMonitor:
    """Notices partitions that no detector owns, and members of the group that are no detectors."""

    def __init__(
        self,
        group_id: str,
        topics: Collection[str],
        consumer: Callable[[], ChunkConsumerThread],
        *,
        metrics: Metrics,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        """``consumer`` returns the consumer once the app has started.

        A rebalance may take ``patience`` seconds; ``clock`` in monotonic seconds.
        """
        self._group_id = group_id
        self._topics = list(topics)
        self._consumer = consumer
        self._metrics = metrics
        self._patience = patience
        self._clock = clock
        self._unowned_since: float | None = None
        self._logged_at = 0.0
        self._seen_at = clock()
        self.fault = ""

    async def run(self) -> None:
        """Look every 10 s until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look once, and log a fault."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                view = await self._consumer().view_of_group(self._topics)
        except Exception as error:  # noqa: BLE001 - any reason: nothing is known
            logger.debug("consumer group not known: %r", error)
            if self._clock() - self._seen_at >= _NEWS_SECONDS:
                self._metrics.foreign_members.set(math.nan)
                self._metrics.owned_partitions.clear()
            return
        self._seen_at = self._clock()
        self._judge(view)

    def _judge(self, view: GroupView) -> None:
        now, before = self._clock(), self.fault
        for topic in self._topics:
            self._metrics.topic_partitions.labels(topic).set(view.partitions[topic])
        foreign, unowned = list[Member](), ["all partitions"]
        if view.members is not None:
            foreign = [member for member in view.members if not member.is_detector]
            unowned = self._unowned(view, view.members)
            self._metrics.foreign_members.set(len(foreign))
        if not unowned:
            self._unowned_since = None
        elif self._unowned_since is None:
            self._unowned_since = now
        lasting = self._unowned_since is not None and now - self._unowned_since >= self._patience
        if foreign:
            named = [
                f"{each.name} with {counted(len(each.partitions), 'partition')}" for each in foreign
            ]
            self.fault = foreign_members_fault(self._group_id, named)
        elif lasting:
            self.fault = (
                f"no detector of group {self._group_id} has owned {', '.join(unowned)} for "
                f"{self._patience:.0f} s or more: look for workers that hang, and restart them"
            )
        elif view.members is not None:
            self.fault = ""
        if self.fault and (self.fault != before or now - self._logged_at >= _REPEAT_SECONDS):
            self._logged_at = now
            logger.error("%s", self.fault)
        elif before and not self.fault:
            logger.info("detectors own all partitions of the input topics again")

    def _unowned(self, view: GroupView, members: list[Member]) -> list[str]:
        """The number of partitions without a detector, by topic; sets the gauges of the others."""
        owned = Counter(
            partition.topic
            for member in members
            if member.is_detector
            for partition in member.partitions
        )
        unowned = []
        for topic in self._topics:
            self._metrics.owned_partitions.labels(topic).set(owned[topic])
            if (count := view.partitions[topic]) > owned[topic]:
                unowned.append(f"{count - owned[topic]} of {count} partitions of {topic}")
        return unowned


class Monitors(NamedTuple):
    """The monitors of a worker."""

    reach: ReachMonitor
    topics: TopicMonitor
    lag: LagMonitor
    group: GroupMonitor


def readiness(
    monitors: Monitors,
    *,
    assigned: Collection[TP],
    is_rebalancing: bool,
    stalled_seconds: float,
) -> tuple[bool, str]:
    """Whether the worker does at least a part of its work, and a sentence; any thread may call it.

    Lag without a commit for ``stalled_seconds`` is a stall. A worker that does its part is ready,
    and the sentence names the other faults: a restart would not mend them.
    """
    reach, topics, lag, _ = monitors
    obstacle = ""
    if reach.is_cut_off:
        obstacle = reach.fault
    elif topics.none_is_there:
        obstacle = topics.fault
    elif is_rebalancing:
        obstacle = reach.fault or "rebalancing"
    elif not assigned:
        obstacle = reach.fault or "no partitions assigned"
    elif lag.silent.issuperset(assigned):
        obstacle = reach.fault or lag.fault
    elif lag.stalled_for(stalled_seconds):
        obstacle = reach.fault or "lag and no commits"
    if obstacle:
        return False, obstacle
    faults = "; ".join(filter(None, (monitor.fault for monitor in monitors)))
    return True, f"ready, but {faults}" if faults else "ready"
