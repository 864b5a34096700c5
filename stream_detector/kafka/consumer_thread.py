"""The thread in which aiokafka's consumer runs: fetches, positions, the group, commits.

The overrides depend on pinned versions of Faust and aiokafka: see ``transport``.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import aiokafka
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.futures import maybe_async

from stream_detector.errors import FatalError
from stream_detector.events import RawRecord
from stream_detector.kafka.fetched import bound_fetches
from stream_detector.kafka.group_members import DetectorAssignor, GroupView, view_of_group
from stream_detector.kafka.leaders import (
    AnswerWatch,
    known_ends,
    pace_metadata_updates,
    unconnected_of_consumer,
)
from stream_detector.kafka.positions import Positions
from stream_detector.kafka.retry import is_retriable, name_of
from stream_detector.kafka.topic_identity import SeenTopic, seen_topics
from stream_detector.metrics import Metrics

logger = logging.getLogger(__name__)
SERVICE_LOGGER = logging.getLogger("faust.chunks")
"""The logger of Faust's services, as quiet as the rest of Faust."""

_FORBIDDEN = (GroupAuthorizationFailedError, TopicAuthorizationFailedError)

_P = ParamSpec("_P")
_T = TypeVar("_T")
Records = dict[TP, list[RawRecord]]
"""The result of a fetch, by partition."""

_TOPICS_POLL_SECONDS = 0.5
"""How often an unanswered commit checks whether its topics still exist."""
_LEADER_ANSWER_SECONDS = 5.0
"""How long one broker may take to report the ends of the partitions that it leads."""


class TransportHost(Protocol):
    """The transport's view of the Faust app that it serves."""

    buffered_bytes_max: int
    decompressed_bytes_max: int
    consumer_options: Mapping[str, Any]
    producer_options: Mapping[str, Any]
    starts_at_end: bool
    """Whether a new group begins at the ends of the partitions, instead of their beginnings."""
    metrics: Metrics

    async def finish_in_flight(self) -> None:
        """Finish the batches that are under way, within the revocation deadline."""
        ...

    def fail(self, error: FatalError) -> None:
        """Stop the process because of ``error``; any thread may call this."""
        ...


def _in_thread(
    method: Callable[Concatenate["ChunkConsumerThread", _P], Awaitable[_T]],
) -> Callable[Concatenate["ChunkConsumerThread", _P], Coroutine[Any, Any, _T]]:
    """Run ``method`` in the consumer's own thread, whichever thread calls it."""

    @wraps(method)
    async def call(thread: "ChunkConsumerThread", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        result: _T = await thread.call_thread(method, thread, *args, **kwargs)
        return result

    return call


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's consumer thread with the project's client options and commit policy."""

    logger = SERVICE_LOGGER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetches: set[asyncio.Task[Records]] = set()
        self._halted = True
        self.answers = AnswerWatch(clock=time.monotonic)
        """Which brokers had a connection, and answered, at the last ``unconnected_brokers``."""
        self._positions = Positions(at_end=self.app.starts_at_end, metrics=self.app.metrics)

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``fun`` in this thread and wait for its result, concurrently with other calls.

        Faust queues such calls for two workers. Two calls that wait for a rebalance (a fetch, an
        end offset) would block a third; if that is the commit which the rebalance itself waits
        for, the group stands still.
        """

        async def call() -> Any:
            return await maybe_async(fun(*args, **kwargs))

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self.thread_loop))

    async def on_thread_stop(self) -> None:
        """Stop as the driver does, but close the connections even if aiokafka breaks off.

        aiokafka's fetcher awaits requests that it has just cancelled. The CancelledError would
        leave the connections open and end this thread without waking those who wait for it.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            await self._ensure_consumer()._client.close()

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Do nothing: whoever runs the thread logs its error; Faust would print a trace."""

    # --- fetches ----------------------------------------------------------------------------

    def allow_fetches(self) -> None:
        """Let fetches begin again."""
        self._halted = False

    @_in_thread
    async def halt_fetches(self) -> None:
        """Cancel the fetches under way, and let none begin."""
        self._halted = True
        for fetch in self._fetches:
            fetch.cancel()
        if self._fetches:
            await asyncio.wait(self._fetches)

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Records:
        """Fetch as the driver does, but never across a rebalance.

        aiokafka holds a fetch back until the rebalance is over, and then advances the positions of
        the new assignment. The consumer drops the records of such a fetch as stale, and nothing
        would seek back to them: they would be lost.
        """
        if self._halted:
            return {}
        fetch = asyncio.ensure_future(
            super()._fetch_records(consumer, active_partitions, timeout, max_records)
        )
        self._fetches.add(fetch)
        try:
            await asyncio.wait({fetch})
        finally:
            self._fetches.discard(fetch)
            fetch.cancel()
        if fetch.cancelled():
            return {}
        try:
            records: Records = fetch.result()
        except _FORBIDDEN as error:
            self.app.fail(self._forbidden(error))
            return {}
        return records

    async def _highwaters(self, partitions: list[TP]) -> Mapping[TP, int]:
        ends = await known_ends(self._ensure_consumer(), partitions, seconds=_LEADER_ANSWER_SECONDS)
        return {ensure_TP(tp): end for tp, end in ends.items()}

    def fetch_position(self, tp: TP) -> int | None:
        """Next offset to be fetched, or None while it is unknown; never waits."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription else None
        state = assignment.state_value(driver.ensure_aiokafka_TP(tp)) if assignment else None
        return state.position if state and state.has_valid_position else None

    @_in_thread
    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Seek to the start position of each assigned partition; returns the committed offsets."""
        return await self._positions.seek(self._ensure_consumer())

    # --- what the monitors ask --------------------------------------------------------------

    @_in_thread
    async def look_at_topics(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        """Those of the topics ``names`` that exist; the group rejoins if they have changed.

        Raises:
            KafkaError: no broker answers.
        """
        consumer = self._ensure_consumer()
        seen = await seen_topics(consumer._client, names)
        known = consumer._client.cluster.partitions_for_topic
        if any(
            len(known(name) or ()) != (seen[name].partitions if name in seen else 0)
            for name in names
        ):
            # Its coordinator rejoins then. By itself it would ask in five minutes.
            await consumer._client.force_metadata_update()
        if self._positions.replaced(seen):
            consumer._coordinator.request_rejoin()
        return seen

    @_in_thread
    async def view_of_group(self, topics: Collection[str]) -> GroupView:
        """Who owns which partitions of ``topics``; notes the offsets that detectors committed.

        Raises:
            KafkaError: the coordinator does not answer, or refuses.
        """
        consumer = self._ensure_consumer()
        view = await view_of_group(consumer, self.app.conf.id, topics)
        partitions = [
            aiokafka.TopicPartition(topic, number)
            for topic, count in view.partitions.items()
            for number in range(count)
        ]
        self._positions.note(await consumer._coordinator.fetch_committed_offsets(partitions))
        return view

    def unknown_topics(self) -> set[str]:
        """Subscribed topics that do not exist as far as the client knows; never waits."""
        if (consumer := self._consumer) is None:
            return set()
        known = consumer._client.cluster.partitions_for_topic
        return {name for name in consumer.subscription() if not known(name)}

    def unconnected_brokers(self) -> set[str]:
        """``host:port`` of each broker that is needed and not connected; never waits."""
        if (consumer := self._consumer) is None:
            return set()
        self.answers.look(consumer._client)
        return unconnected_of_consumer(consumer, silent=self.answers.silent)

    def refresh_metadata(self) -> None:
        """Make aiokafka ask which brokers lead what; any thread may call this."""
        if (consumer := self._consumer) is not None:
            self.thread_loop.call_soon_threadsafe(consumer._client.force_metadata_update)

    # --- the group --------------------------------------------------------------------------

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        # The driver would build its options from Faust's settings, which know neither our TLS
        # and SASL settings nor an assignor that marks this member as a detector.
        host: TransportHost = self.app
        self._assignor = DetectorAssignor
        bound_fetches(host.decompressed_bytes_max)
        consumer = aiokafka.AIOKafkaConsumer(
            **host.consumer_options,
            enable_auto_commit=False,
            partition_assignment_strategy=[self._assignor],
        )
        pace_metadata_updates(consumer._client)
        return consumer

    @_in_thread
    async def check_group(self) -> None:
        """Raise the coordinator's error, which aiokafka's own fetch would raise; Faust's does not.

        Raises:
            FatalError: Kafka does not let this worker join the group.
        """
        try:
            self._ensure_consumer()._coordinator.check_errors()
        except KafkaError as error:
            if isinstance(error, _FORBIDDEN):
                raise self._forbidden(error) from error
            if not is_retriable(error):
                raise FatalError(
                    f"consumer group {self.app.conf.id} cannot be joined: {error!r}; check "
                    "kafka_options"
                ) from error
            self.app.metrics.count_error(error)
            logger.warning("group coordination failed, will try again: %s", name_of(error))

    def _forbidden(self, error: KafkaError) -> FatalError:
        """An error that names the missing right."""
        if isinstance(error, GroupAuthorizationFailedError):
            return FatalError(
                f"group {self.app.conf.id} may not be used: give this worker's user the right READ "
                "on the group"
            )
        found = error.args[0] if error.args else ()
        names = [found] if isinstance(found, str) else sorted(found)
        return FatalError(
            f"topic {', '.join(names) or 'of input'} may not be read: give this worker's user the "
            "right READ"
        )

    # --- commits ----------------------------------------------------------------------------

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False if it has to be tried again or no longer matters.

        Neither loses a record: uncommitted records are read again. The driver's own stops the
        consumer at an error that passes, and commits offsets without the identity of their topic.
        """
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        commits = {
            partition: self._positions.commit(partition, offset)
            for tp, offset in offsets.items()
            if tp in assigned
            for partition in [driver.ensure_aiokafka_TP(tp)]
        }
        if not commits:
            return False  # All were revoked since; aiokafka refuses an empty commit.
        try:
            try:
                await self._commit_while_topics_exist(consumer, commits)
            except UnknownTopicOrPartitionError:
                unknown = self.unknown_topics()
                others = {each: commits[each] for each in commits if each.topic not in unknown}
                if others:
                    await self._commit_while_topics_exist(consumer, others)
                raise
        except (CommitFailedError, IllegalStateError) as error:
            logger.info("offsets not committed, the group is rebalancing: %s", error)
            return False
        except KafkaError as error:
            if is_retriable(error):
                self.app.metrics.count_error(error)
                logger.warning("offsets not committed, will try again: %s", name_of(error))
            else:
                self.app.fail(
                    self._forbidden(error)
                    if isinstance(error, _FORBIDDEN)
                    else FatalError(f"Kafka refused to commit offsets: {error!r}")
                )
            return False
        return len(commits) == len(offsets)

    async def _commit_while_topics_exist(
        self, consumer: aiokafka.AIOKafkaConsumer, commits: Mapping[Any, Any]
    ) -> None:
        """Commit, but do not wait for a deleted topic, as aiokafka would for ever.

        Raises:
            UnknownTopicOrPartitionError: one of the topics does not exist.
            KafkaError: from aiokafka's ``commit``.
        """
        commit = asyncio.ensure_future(consumer.commit(commits))
        try:
            while not (await asyncio.wait({commit}, timeout=_TOPICS_POLL_SECONDS))[0]:
                if gone := self.unknown_topics() & {partition.topic for partition in commits}:
                    raise UnknownTopicOrPartitionError(", ".join(gone))
        finally:
            commit.cancel()
        await commit
