"""The worker: a Faust app with one agent, bound to the core (``pipeline``) and to Kafka.

``create_app`` makes the app; ``stream_detector.worker.process`` runs it.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, NamedTuple, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.types import StreamT
from yarl import URL

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.errors import FatalError
from stream_detector.events import Chunk
from stream_detector.kafka.announcements import follow_announcements
from stream_detector.kafka.chunk_consumer import ChunkConsumer, Delivery
from stream_detector.kafka.clients import client_options, output_options
from stream_detector.kafka.group_watch import GroupMonitor
from stream_detector.kafka.input_topics import TopicMonitor
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.publisher import OutputTopics, Publisher
from stream_detector.kafka.reachability import ReachMonitor
from stream_detector.kafka.readiness import Monitors, readiness
from stream_detector.kafka.record_batches import decompressed_bytes_max
from stream_detector.kafka.topics import cluster_id
from stream_detector.kafka.transport import ChunkProducer, ChunkTransport
from stream_detector.limits import BATCH_BYTES_MAX
from stream_detector.metrics import Metrics
from stream_detector.models.serving import load_scorer
from stream_detector.pipeline import Pipeline
from stream_detector.policy.decider import Decider
from stream_detector.settings.fields import Settings
from stream_detector.wire.outcomes import Encoded, encode
from stream_detector.worker.batching import Batcher, Work
from stream_detector.worker.model_following import ModelFollower
from stream_detector.worker.shadow_following import ShadowFollower

__all__ = ["DetectorApp", "Following", "create_app"]

logger = logging.getLogger(__name__)

_LAG_INTERVAL_SECONDS = 2.0
_REACH_INTERVAL_SECONDS = 2.0
_GROUP_CHECK_SECONDS = 1.0
_AWAY_SECONDS = 3.0
"""A stop gives up on a Kafka that is not reached for so long: what is not committed replays."""
_AWAY_POLL_SECONDS = 0.25
_COMMIT_SECONDS = 5.0
"""What the last commit may take of a Kafka that is reached and does not answer."""
_HEARTBEAT_MS = 2_000
_SESSION_TIMEOUT_MS = 20_000
"""A worker that was killed gives its partitions up after so long."""
_POLL_INTERVAL_MAX_MS = 3_600_000
"""While Kafka refuses outputs nothing is fetched; that must not cost the membership."""
_REBALANCE_MARGIN_SECONDS = 20.0


class Following(NamedTuple):
    """What follows announcements, for each role of models."""

    models: ModelFollower
    shadows: ShadowFollower


class _ChunkSchema(faust.Schema):
    """Passes a chunk through as it is: the transport made it, nothing is to be decoded."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Delivery:
        delivery: Delivery = message.value
        return delivery


class DetectorApp(faust.App):
    """The Faust app: owns transport, batcher, publisher, and the monitors of lag and reach."""

    logger = logging.getLogger("faust.app")

    def __init__(
        self,
        settings: Settings,
        *,
        pipeline: Pipeline,
        metrics: Metrics,
        executor: ThreadPoolExecutor,
        following: Following | None = None,
    ) -> None:
        self.settings = settings
        self.following = following
        self.metrics = metrics
        self.pipeline = pipeline
        self.executor = executor
        self.chunk_records = settings.chunk_records
        self.buffered_bytes_max = settings.buffered_bytes_max
        self.decompressed_bytes_max = decompressed_bytes_max(settings)
        self.starts_at_end = settings.start_at == "latest"
        self.consumer_options = _consumer_options(settings)
        self.producer_options = output_options(settings)
        self.failed = asyncio.Event()
        """Set when the process has to stop because of ``error``."""
        self.finished = asyncio.Event()
        """Set by a stop when all that was under way is committed or given up."""
        self._is_watched = False
        """Whether the monitors are there that ``readiness`` asks: some time after Faust says that
        it has started."""
        self.error: FatalError | None = None
        self.batcher = Batcher(
            self._process,
            self._publish,
            executor=executor,
            batch_records=settings.batch_records,
            batch_bytes=BATCH_BYTES_MAX,
            linger=settings.linger_ms / 1000,
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
            patience=settings.revoke_timeout + _REBALANCE_MARGIN_SECONDS,
            clock=time.monotonic,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="stream-detector-")
        brokers = [URL(f"kafka://{address}") for address in settings.bootstrap_servers]
        super().__init__(
            settings.group_id,
            broker=brokers,
            datadir=self._folder.name,
            broker_commit_interval=settings.commit_interval,
            stream_wait_empty=False,
            table_standby_replicas=0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        self.transport = ChunkTransport(brokers, self)

    # --- life cycle -------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Make what needs the event loop, before the consumer starts."""
        self._app_loop = asyncio.get_running_loop()
        await super().on_start()
        self.lag_monitor = LagMonitor(
            self.chunk_consumer,
            metrics=self.metrics,
            stall_timeout=self.settings.stall_timeout,
            clock=time.monotonic,
            wall_clock=time.time,
        )
        self.watch(self.batcher.run())
        self.watch(self.lag_monitor.run(_LAG_INTERVAL_SECONDS))
        self.watch(self.reach_monitor.run(_REACH_INTERVAL_SECONDS))
        self.watch(self.topic_monitor.run())
        self.watch(self.group_monitor.run())
        self.watch(self._check_group())
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
        """Stop fetching, finish what is in flight, commit it; then leave the group."""
        if self._consumer is not None:
            self.consumer.stop_flow()
            self.flow_control.suspend()
            await self._finish_or_give_up()
        self.finished.set()
        for task in self._tasks:
            task.cancel()
        await super().on_stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._folder.cleanup()

    async def _finish_or_give_up(self) -> None:
        """Finish what is in flight and commit it; not for long where Kafka is away."""
        finishing = asyncio.create_task(self._finish())
        giving_up = asyncio.create_task(self._until_given_up())
        await asyncio.wait({finishing, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        giving_up.cancel()
        if finishing.done():
            finishing.result()
        else:
            finishing.cancel()
        if self.reach_monitor.fault:
            logger.warning(
                "stopping while Kafka is away (%s): what was not committed will be read again",
                self.reach_monitor.fault,
            )

    async def _finish(self) -> None:
        await self._drain(self.settings.shutdown_timeout)
        try:
            await asyncio.wait_for(self.chunk_consumer.commit_finished(), _COMMIT_SECONDS)
        except TimeoutError:
            logger.warning(
                "Kafka did not answer the last commit in %.0f s: what was not committed will be "
                "read again",
                _COMMIT_SECONDS,
            )

    async def _until_given_up(self) -> None:
        """Until Kafka was away for so long that a stop does not wait for it any more."""
        reached_at = time.monotonic()
        while time.monotonic() - reached_at < _AWAY_SECONDS:
            await asyncio.sleep(_AWAY_POLL_SECONDS)
            if not self.reach_monitor.fault:
                reached_at = time.monotonic()

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

    # --- what the transport asks ------------------------------------------------------------

    async def finish_in_flight(self) -> None:
        """Finish the batches that are under way, within the revocation deadline."""
        self.metrics.rebalances.inc()
        await self._drain(self.settings.revoke_timeout)

    async def _drain(self, timeout: float) -> None:
        if not await self.batcher.drain(timeout):
            # The batcher may have ended by an error, which is told in a line of its own.
            logger.warning(
                "what is in flight was not finished (up to %.0f s are given) and replays", timeout
            )

    def fail(self, error: FatalError) -> None:
        """Stop the process because of ``error``; may be called from any thread."""
        self.metrics.count_error(error)
        self.error = self.error or error
        self._app_loop.call_soon_threadsafe(self.failed.set)

    # --- one batch --------------------------------------------------------------------------

    def _process(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Encoded, int]]:
        """Bytes in, encoded outcomes out, part by part; runs in the scorer's thread."""
        for outcomes, ended in self.pipeline.parts(chunks):
            yield encode(outcomes), ended

    async def _publish(self, encoded: Encoded, chunks: Sequence[Chunk]) -> None:
        started = time.monotonic()
        await self._publisher.publish(encoded)
        self.metrics.stage_seconds.labels("publish").observe(time.monotonic() - started)
        now = time.time()
        for topic, _, records in chunks:
            # A producer older than Kafka 0.10 gives no time, which reads as None or -1.
            written = records[0].timestamp or -1
            if written > 0:
                age = max(0.0, now - written / 1000)
                self.metrics.record_age_seconds.observe(topic, age, len(records))

    @cached_property
    def _publisher(self) -> Publisher:
        return Publisher(
            self.producer.client,
            OutputTopics.of(self.settings),
            comparisons_failed=self._drop_shadows,
            metrics=self.metrics,
        )

    def _drop_shadows(self, fault: str) -> None:
        """Compare no more, since what is compared can't be written."""
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
        """The consumer, as the chunk transport made it."""
        return cast(ChunkConsumer, self.consumer)

    def readiness(self) -> tuple[bool, str]:
        """Whether the worker does its work, and what of it not; called from the HTTP thread."""
        if not self._is_watched:
            return False, "starting"
        monitors = Monitors(
            self.reach_monitor, self.topic_monitor, self.lag_monitor, self.group_monitor
        )
        return readiness(
            monitors,
            assigned=self._assignment or (),
            is_rebalancing=self.rebalancing,
            stalled_seconds=self.settings.stall_timeout / 2,
        )


def create_app(
    settings: Settings,
    *,
    decider: Decider | None = None,
    metrics: Metrics | None = None,
    cluster: str | None = None,
    executor: ThreadPoolExecutor | None = None,
    following: Following | None = None,
) -> DetectorApp:
    """Make the Faust app with its one agent.

    Args:
        settings: everything that can be set.
        decider: what decides; by default with the bundles that the settings name, not yet warm.
        metrics: where to count.
        cluster: the cluster's name in verdict ids; by default what Kafka reports.
        executor: a single thread that owns the scorer.
        following: keeps the scorer and its shadows at what is announced; without it, models stay
            as they are.

    Raises:
        FatalError: a setting, a bundle or the device is not usable.
        RetryableError: Kafka was asked for its cluster id and is away.
    """
    metrics = metrics or Metrics()
    metrics.expect_topics(settings.input_topic_names)
    pipeline = pipeline_of(
        settings=settings,
        decider=decider or decider_of(load_scorer(settings), settings=settings, metrics=metrics),
        metrics=metrics,
        cluster=cluster or settings.cluster or cluster_id(settings),
    )
    app = DetectorApp(
        settings,
        pipeline=pipeline,
        metrics=metrics,
        executor=executor or ThreadPoolExecutor(1, thread_name_prefix="scorer"),
        following=following,
    )
    topic = app.topic(*settings.input_topic_names, schema=_ChunkSchema(), internal=False)

    @app.agent(topic, name="detect", concurrency=1)
    async def detect(stream: StreamT[Delivery]) -> None:
        # Acknowledged by hand, when the outputs are in Kafka.
        stream.enable_acks = False
        async for event in stream.events():
            app.batcher.put(Work(event.value.chunk, event.value.entry.size, event.ack))

    return app


def _consumer_options(settings: Settings) -> dict[str, Any]:
    return {
        "group_id": settings.group_id,
        # Nothing that is there may be passed over; where a new group begins: ``kafka.positions``.
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": settings.fetch_bytes_max,
        "heartbeat_interval_ms": _HEARTBEAT_MS,
        "session_timeout_ms": _SESSION_TIMEOUT_MS,
        "rebalance_timeout_ms": int((settings.revoke_timeout + _REBALANCE_MARGIN_SECONDS) * 1000),
        "max_poll_interval_ms": _POLL_INTERVAL_MAX_MS,
        **client_options(settings, AIOKafkaConsumer),
    }
