"""How far the worker lags behind, and whether it still moves: gauges, readiness, watchdog.

A partition can get stuck after a rebalance without any error. Lag without a commit for
``stall_timeout`` seconds, while Kafka answers, ends the process; it resumes from its commits.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from faust.types import TP

from stream_detector.errors import StalledError
from stream_detector.kafka.chunk_consumer import ChunkConsumer
from stream_detector.metrics import Metrics
from stream_detector.terminal.counted import counted

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 10.0
"""How long Kafka may take to report the ends of partitions before it counts as away."""
_NAMED_MAX = 3


class _Progress(NamedTuple):
    offset: int
    since: float


class LagMonitor:
    """Measures lag by partition and notices a stall. Runs on the event loop."""

    def __init__(
        self,
        consumer: ChunkConsumer,
        *,
        metrics: Metrics,
        stall_timeout: float,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        """``stall_timeout`` and both clocks in seconds; ``wall_clock`` since the epoch."""
        self._consumer = consumer
        self._metrics = metrics
        self._stall_timeout = stall_timeout
        self._clock = clock
        self._wall_clock = wall_clock
        self._progress: dict[TP, _Progress] = {}
        self._shown: set[TP] = set()
        self.silent: frozenset[TP] = frozenset()
        """Assigned partitions whose end Kafka did not report at the last measurement."""

    @property
    def fault(self) -> str:
        """A sentence about the silent partitions; empty without any."""
        silent = sorted(self.silent)
        if not silent:
            return ""
        named = ", ".join(f"{tp.topic}:{tp.partition}" for tp in silent[:_NAMED_MAX])
        more = f" and {len(silent) - _NAMED_MAX} more" if len(silent) > _NAMED_MAX else ""
        return (
            f"no leader answers for {counted(len(silent), 'partition')} ({named}{more}): their "
            "records wait until a broker that has them is back"
        )

    async def run(self, interval: float) -> None:
        """Measure every ``interval`` seconds until cancelled.

        Raises:
            StalledError: there is lag, and no commit for longer than the stall timeout.
        """
        while True:
            await asyncio.sleep(interval)
            await self.measure()
            stalled = self.stalled_for(self._stall_timeout)
            if stalled:
                names = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in stalled)
                raise StalledError(
                    f"lag and no commit for {self._stall_timeout:.0f} s on {names}; "
                    "the process ends so that it resumes from the committed offsets"
                )

    async def measure(self) -> None:
        """Update gauges and progress once.

        While Kafka is away, unknown values are removed: a gauge that stands still would look like a
        quiet topic.
        """
        consumer = self._consumer
        self._metrics.buffered_records.set(consumer.buffered_records)
        self._metrics.buffered_bytes.set(consumer.buffered_bytes)
        assigned = consumer.assignment()
        self._metrics.assigned_partitions.set(len(assigned))
        self._forget((self._shown | self._progress.keys()) - assigned)
        if not assigned:
            self.silent = frozenset()
            return
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                ends = await consumer.highwaters(*assigned)
        except Exception as error:  # noqa: BLE001 - any reason: nothing is known
            logger.debug("ends of partitions not known: %r", error)
            self._hide(set(self._shown))
            self._progress.clear()
            self.silent = frozenset(assigned)
            return
        assigned &= consumer.assignment()
        self.silent = frozenset(assigned - ends.keys())
        for tp in assigned:
            position, end = consumer.fetch_position(tp), ends.get(tp)
            if end is None:
                self._forget({tp})  # Its leader is away: the worker does not stall.
            elif position is None:
                # Its progress stays: if the position is unknown for long, the worker stalls.
                self._hide({tp})
            else:
                self._note(tp, end, position)

    def _note(self, tp: TP, end: int, position: int) -> None:
        ledger = self._consumer.ledgers.get(tp)
        oldest = ledger.oldest_timestamp if ledger else None
        # Nothing is committed yet, as in a new group: it began at the first delivery.
        unfinished = ledger.first_offset if ledger else None
        committed = self._consumer.committed_offsets.get(
            tp, position if unfinished is None else unfinished
        )
        # Transaction markers and compacted records may lie between the last record and the end: if
        # everything fetched is acknowledged, nothing is left to commit.
        behind = unfinished is not None or position < end
        lag = max(0, end - committed) if behind else 0
        labels = (tp.topic, str(tp.partition))
        self._shown.add(tp)
        self._metrics.committed_offset.labels(*labels).set(committed)
        self._metrics.end_offset.labels(*labels).set(end)
        self._metrics.lag_records.labels(*labels).set(lag)
        previous = self._progress.get(tp)
        if not lag or previous is None or previous.offset != committed:
            previous = self._progress[tp] = _Progress(committed, self._clock())
        if not lag:
            seconds = 0.0
        elif oldest is not None:
            seconds = self._wall_clock() - oldest / 1000
        else:  # The oldest record is not fetched yet: it waits at least since the last progress.
            seconds = self._clock() - previous.since
        self._metrics.lag_seconds.labels(*labels).set(max(0.0, seconds))

    def stalled_for(self, seconds: float) -> list[TP]:
        """Partitions with lag whose committed offset has not moved for ``seconds``."""
        now = self._clock()
        # A copy in one step: the HTTP thread asks too, for readiness.
        progress = list(self._progress.items())
        return sorted(tp for tp, seen in progress if now - seen.since >= seconds)

    def _forget(self, gone: set[TP]) -> None:
        self._hide(gone)
        for tp in gone:
            self._progress.pop(tp, None)

    def _hide(self, unknown: set[TP]) -> None:
        for tp in unknown:
            labels = (tp.topic, str(tp.partition))
            for gauge in (
                self._metrics.committed_offset,
                self._metrics.end_offset,
                self._metrics.lag_records,
                self._metrics.lag_seconds,
            ):
                gauge.remove(*labels)
        self._shown -= unknown
