"""Whether detectors own all partitions of the input topics, and have their group to themselves."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection

from stream_detector.kafka.consumer_thread import ChunkConsumerThread
from stream_detector.kafka.group_mark import foreign_members_fault
from stream_detector.kafka.group_members import GroupView, Member
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0
_REPEAT_SECONDS = 60.0
"""After this time a fault that stays is logged again."""
_ANSWER_SECONDS = 10.0
_NEWS_SECONDS = 60.0
"""Older observations are not shown: other workers may know better, and alerts take the maximum."""


class GroupMonitor:
    """Looks at the consumer group. Runs on the event loop."""

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
        """Foreign members, or partitions that no detector reads, and what to do; or empty."""

    async def run(self) -> None:
        """Look every ``_LOOK_SECONDS`` until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look once, and log a fault; while Kafka is away, nothing is known."""
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
        if view.members is None:
            foreign, unowned = [], ["all partitions"]
        else:
            foreign = [member for member in view.members if not member.is_detector]
            unowned = self._unowned(view, view.members)
            self._metrics.foreign_members.set(len(foreign))
        if not unowned:
            self._unowned_since = None
        elif self._unowned_since is None:
            self._unowned_since = now
        lasting = self._unowned_since is not None and now - self._unowned_since >= self._patience
        if foreign:
            self.fault = foreign_members_fault(self._group_id, list(map(_named, foreign)))
        elif view.members is not None or lasting:
            self.fault = self._unowned_fault(unowned) if lasting else ""
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

    def _unowned_fault(self, unowned: list[str]) -> str:
        return (
            f"no detector of group {self._group_id} has owned {', '.join(unowned)} for "
            f"{self._patience:.0f} s or more: look for workers that hang, and restart them"
        )


def _named(member: Member) -> str:
    return f"{member.name} with {counted(len(member.partitions), 'partition')}"
