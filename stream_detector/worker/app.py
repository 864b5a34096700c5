"""The worker: a Faust app with one agent that connects ``pipeline`` with Kafka.

``worker.process`` makes the app and runs it.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.types import StreamT
from yarl import URL

from stream_detector.errors import FatalError
from stream_detector.events import Chunk
from stream_detector.kafka.announcements import follow_announcements
from stream_detector.kafka.chunk_consumer import ChunkConsumer, Delivery
from stream_detector.kafka.clients import client_options, output_options
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.publisher import OutputTopics, Publisher
from stream_detector.kafka.reachability import ReachMonitor
from stream_detector.kafka.readiness import GroupMonitor, Monitors, TopicMonitor, readiness
from stream_detector.kafka.record_batches import decompressed_bytes_max
from stream_detector.kafka.transport import ChunkProducer, ChunkTransport
from stream_detector.limits import (
    BATCH_BYTES_MAX,
    BUFFERED_BYTES_MAX,
    CHUNK_RECORDS_MAX,
    FETCH_BYTES_MAX,
)
from stream_detector.metrics import Metrics
from stream_detector.pipeline import Pipeline
from stream_detector.settings.fields import Settings
from stream_detector.wire.outcomes import Encoded, encode
from stream_detector.worker.batching import Batcher
from stream_detector.worker.lanes import Work

if TYPE_CHECKING:
    from stream_detector.worker.model_following import Following

logger = logging.getLogger(__name__)

_LAG_INTERVAL_SECONDS = 2.0
_REACH_INTERVAL_SECONDS = 2.0
_GROUP_CHECK_SECONDS = 1.0
_AWAY_SECONDS = 3.0
"""A stop waits this long for a Kafka that is away; uncommitted records replay."""
_AWAY_POLL_SECONDS = 0.25
_COMMIT_SECONDS = 5.0
"""The last commit waits this long for a broker that accepts connections but does not answer."""
_HEARTBEAT_MS = 2_000
_SESSION_TIMEOUT_MS = 20_000
"""The group takes the partitions of a killed worker after this time."""
_POLL_INTERVAL_MAX_MS = 3_600_000
"""The worker fetches nothing while Kafka refuses outputs, and must stay in the group."""
_REVOKE_SECONDS = 10.0
"""To finish and commit a partition that is revoked. The group reads nothing meanwhile."""
_REBALANCE_SECONDS = _REVOKE_SECONDS + 20.0
"""The group waits this long for a member that finishes its batches."""
_LINGER_SECONDS = 0.005
"""A batch that is not full waits this long for more records: a fraction of the time to score it."""
_COMMIT_INTERVAL_SECONDS = 1.0
"""A crash repeats the records since the last commit, and each commit costs the broker a write."""
_STALL_SECONDS = 120.0
"""With lag and no commit for so long the worker ends itself. A batch takes seconds at most."""


class _ChunkSchema(faust.Schema):
    """Passes on the transport's delivery, which needs no decoding."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Delivery:
        delivery: Delivery = message.value
        return delivery


class DetectorApp(faust.App):
    """The Faust app: owns transport, batcher, publisher and monitors."""

    logger = logging.getLogger("faust.app")

    def __init__(
        self,
        settings: Settings,
        *,
        pipeline: Pipeline,
        metrics: Metrics,
        executor: ThreadPoolExecutor,
        following: "Following | None" = None,
    ) -> None:
        self.settings = settings
        self.following = following
        self.metrics = metrics
        self.pipeline = pipeline
        self.executor = executor
        self.buffered_bytes_max = BUFFERED_BYTES_MAX
        self.decompressed_bytes_max = decompressed_bytes_max(settings.record_bytes_max)
        self.starts_at_end = settings.start_at == "latest"
        self.consumer_options = _consumer_options(settings)
        self.producer_options = output_options(settings)
        self.failed = asyncio.Event()
        """Set when the process has to stop; ``error`` says why."""
        self.finished = asyncio.Event()
        """Set during a stop, once the batches in flight are committed or given up."""
        self._is_watched = False
        """Whether the monitors that ``readiness`` needs exist. Faust reports that it has started
        before it calls ``on_start``."""
        self.error: FatalError | None = None
        self.batcher = Batcher(
            self._process,
            self._publish,
            executor=executor,
            batch_records=settings.batch_records,
            batch_bytes=BATCH_BYTES_MAX,
            linger=_LINGER_SECONDS,
            clock=time.monotonic,
        )
        self.reach_monitor = ReachMonitor(
            self._unconnected_brokers,
            is_connected=self._is_connected,
            refresh=self._refresh_metadata,
            context=self.consumer_options.get("ssl_context"),
            clock=time.monotonic,
        )
        self.topic_monitor = TopicMonitor(
            settings.input_topic_names,
            lambda: self.chunk_consumer.thread,
            metrics=metrics,
            clock=time.monotonic,
        )
        self.group_monitor = GroupMonitor(
            settings.group_id,
            settings.input_topic_names,
            lambda: self.chunk_consumer.thread,
            metrics=metrics,
            patience=_REBALANCE_SECONDS,
            clock=time.monotonic,
        )
        self._tasks: list[asyncio.Task[None]] = []
        brokers = [URL(f"kafka://{address}") for address in settings.bootstrap_servers]
        super().__init__(
            settings.group_id,
            broker=brokers,
            broker_commit_interval=_COMMIT_INTERVAL_SECONDS,
            # Faust would wait without a deadline until its streams are empty; the batcher's drain
            # has one. Faust's tables, leader topic and web server are not used.
            stream_wait_empty=False,
            table_standby_replicas=0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        # Faust's own transport hands over each record as an event; ``make bench`` compares the two.
        self.transport = ChunkTransport(brokers, self)
        topic = self.topic(*settings.input_topic_names, schema=_ChunkSchema(), internal=False)
        self.agent(topic, name="detect", concurrency=1)(self._detect)

    async def _detect(self, stream: StreamT[Delivery]) -> None:
        # Faust would acknowledge a chunk once the agent asks for the next one. ``Work`` does it
        # when Kafka has the chunk's outputs.
        stream.enable_acks = False
        async for event in stream.events():
            self.batcher.put(Work(event.value.chunk, event.value.entry.size, event.ack))

    # --- life cycle -------------------------------------------------------------------------

    def _create_directories(self) -> None:
        """Create none: Faust's folders are for tables, and this app has no tables."""

    async def on_start(self) -> None:
        """Start the monitors and followers, which need the event loop, before the consumer."""
        self._app_loop = asyncio.get_running_loop()
        await super().on_start()
        self.lag_monitor = LagMonitor(
            self.chunk_consumer,
            metrics=self.metrics,
            stall_timeout=_STALL_SECONDS,
            clock=time.monotonic,
            wall_clock=time.time,
        )
        for work in (
            self.batcher.run(),
            self.lag_monitor.run(_LAG_INTERVAL_SECONDS),
            self.reach_monitor.run(_REACH_INTERVAL_SECONDS),
            self.topic_monitor.run(),
            self.group_monitor.run(),
            self._check_group(),
        ):
            self.watch(work)
        self._is_watched = True
        if self.following is not None:
            models, shadows = self.following
            self.watch(models.run())
            self.watch(shadows.run())
            self.watch(
                follow_announcements(
                    self.settings,
                    offer=models.offer,
                    offer_shadow=shadows.offer,
                    refuse=models.refuse,
                    refuse_shadow=shadows.refuse,
                )
            )

    async def on_stop(self) -> None:
        """Stop fetching, finish and commit the batches in flight, then leave the group."""
        try:
            if self._consumer is not None:
                self.consumer.stop_flow()
                self.flow_control.suspend()
                await self._finish_or_give_up()
        finally:
            self.finished.set()
            for task in self._tasks:
                task.cancel()
            await super().on_stop()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _finish_or_give_up(self) -> None:
        """Finish and commit the batches in flight; give up where Kafka stays away."""
        finishing = asyncio.create_task(self._finish())
        reached_at = time.monotonic()
        while not finishing.done() and time.monotonic() - reached_at < _AWAY_SECONDS:
            await asyncio.wait({finishing}, timeout=_AWAY_POLL_SECONDS)
            if not self.reach_monitor.fault:
                reached_at = time.monotonic()
        if finishing.done():
            finishing.result()
        else:
            finishing.cancel()
        if self.reach_monitor.fault:
            logger.warning(
                "stopping while Kafka is away (%s): records without a commit will be read again",
                self.reach_monitor.fault,
            )

    async def _finish(self) -> None:
        await self._drain(self.settings.shutdown_timeout)
        try:
            await asyncio.wait_for(self.chunk_consumer.commit_finished(), _COMMIT_SECONDS)
        except TimeoutError:
            logger.warning(
                "Kafka did not answer the last commit in %.0f s: records without a commit will be "
                "read again",
                _COMMIT_SECONDS,
            )

    async def _check_group(self) -> None:
        while True:
            await asyncio.sleep(_GROUP_CHECK_SECONDS)
            await self.chunk_consumer.thread.check_group()

    def watch(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as a task whose failure stops the process."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, FatalError):
            logger.critical("unexpected error", exc_info=error)
            error = FatalError(f"unexpected {type(error).__name__}: {error}")
        self.fail(error)

    # --- TransportHost ----------------------------------------------------------------------

    async def finish_in_flight(self) -> None:
        """Finish the batches in flight, within the revocation deadline."""
        self.metrics.rebalances.inc()
        await self._drain(_REVOKE_SECONDS)

    async def _drain(self, timeout: float) -> None:
        if not await self.batcher.drain(timeout):
            # Where the batcher ended by an error, another line names it.
            logger.warning(
                "batches in flight were not finished (the limit is %.0f s) and replay", timeout
            )

    def fail(self, error: FatalError) -> None:
        """Stop the process because of ``error``; any thread may call this."""
        self.metrics.count_error(error)
        self.error = self.error or error
        self._app_loop.call_soon_threadsafe(self.failed.set)

    # --- one batch --------------------------------------------------------------------------

    def _process(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Encoded, int]]:
        """The encoded outcomes of ``chunks``, part by part; runs in the scorer's thread."""
        for outcomes, ended in self.pipeline.parts(chunks):
            yield encode(outcomes), ended

    async def _publish(self, encoded: Encoded, chunks: Sequence[Chunk]) -> None:
        started = time.monotonic()
        await self._publisher.publish(encoded)
        self.metrics.stage_seconds.labels("publish").observe(time.monotonic() - started)
        now = time.time()
        for topic, _, records in chunks:
            # Records of producers older than Kafka 0.10 have no time: None or -1.
            written = records[0].timestamp or -1
            if written > 0:
                age = max(0.0, now - written / 1000)
                self.metrics.record_age_seconds.observe(topic, age, len(records))

    @cached_property
    def _publisher(self) -> Publisher:
        # Not in __init__: Faust makes the producer's client when it starts.
        return Publisher(
            self.producer.client,
            OutputTopics.of(self.settings),
            comparisons_failed=self._drop_shadows,
            metrics=self.metrics,
        )

    def _drop_shadows(self, fault: str) -> None:
        """End all shadows, since Kafka refuses their comparisons."""
        if self.following is not None:
            self.following.shadows.drop_all(fault)

    def _unconnected_brokers(self) -> set[str]:
        of_producer = cast(ChunkProducer, self.producer).unconnected_brokers()
        return self.chunk_consumer.thread.unconnected_brokers() | of_producer

    def _is_connected(self) -> bool:
        read = self.chunk_consumer.thread.answers
        written = cast(ChunkProducer, self.producer).answers
        return bool((read.connected | written.connected) - read.silent - written.silent)

    def _refresh_metadata(self) -> None:
        cast(ChunkProducer, self.producer).refresh_metadata()
        self.chunk_consumer.thread.refresh_metadata()

    @property
    def chunk_consumer(self) -> ChunkConsumer:
        """The chunk transport's consumer."""
        return cast(ChunkConsumer, self.consumer)

    def readiness(self) -> tuple[bool, str]:
        """Whether the worker does its work, and if not, why; called from the HTTP thread."""
        if not self._is_watched:
            return False, "starting"
        monitors = Monitors(
            self.reach_monitor, self.topic_monitor, self.lag_monitor, self.group_monitor
        )
        return readiness(
            monitors,
            assigned=self._assignment or (),
            is_rebalancing=self.rebalancing,
            stalled_seconds=_STALL_SECONDS / 2,
        )


def _consumer_options(settings: Settings) -> dict[str, Any]:
    return {
        "group_id": settings.group_id,
        # An offset that the topic no longer has resumes at the oldest record, so none is skipped.
        # ``kafka.positions`` decides where a new group begins.
        "auto_offset_reset": "earliest",
        "max_poll_records": CHUNK_RECORDS_MAX,
        "max_partition_fetch_bytes": FETCH_BYTES_MAX,
        "heartbeat_interval_ms": _HEARTBEAT_MS,
        "session_timeout_ms": _SESSION_TIMEOUT_MS,
        "rebalance_timeout_ms": int(_REBALANCE_SECONDS * 1000),
        "max_poll_interval_ms": _POLL_INTERVAL_MAX_MS,
        **client_options(settings, AIOKafkaConsumer),
    }
