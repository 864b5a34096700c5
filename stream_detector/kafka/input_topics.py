"""Whether the input topics exist while a worker runs: deleted, created again, more partitions.

aiokafka asks for topics every five minutes, and logs nothing about a topic that comes back.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from stream_detector.kafka.consumer_thread import ChunkConsumerThread
from stream_detector.kafka.topic_identity import SeenTopic, is_of_another_topic
from stream_detector.kafka.topics import missing_topics_fault
from stream_detector.logs.libraries import KAFKA_FAULTS
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""Between two requests: so soon the worker reads a topic that is back, or new partitions."""
_PEEK_SECONDS = 1.0
"""Between two looks at the consumer's own knowledge, which cost nothing."""
_REPEAT_SECONDS = 60.0
"""After this time a topic that stays missing is logged again."""
_ANSWER_SECONDS = 10.0


class TopicMonitor:
    """Looks for the input topics. Runs on the event loop."""

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
        """Which topics are missing, and what to do; empty without any."""

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
                due = self._clock() + LOOK_SECONDS

    async def look(self) -> None:
        """Look once, and log changes; while Kafka is away, nothing is known."""
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
        KAFKA_FAULTS.report("topics", present=bool(self._missing), now=self._clock())
        if self._missing and (
            self._missing != before or self._clock() - self._logged_at >= _REPEAT_SECONDS
        ):
            self._logged_at = self._clock()
            logger.error("%s; %s", self.fault, self._meanwhile())

    def _meanwhile(self) -> str:
        """What the worker does without the missing topics."""
        if self.none_is_there:
            return "reading goes on when it is there"
        return "the other input topics are read, and this one when it is there"


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
