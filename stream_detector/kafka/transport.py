"""A Faust transport that delivers a fetched chunk of one partition as one message.

Faust's aiokafka driver makes two tasks a message and acknowledges by offset, with a gap rule
that lets a later batch commit over an earlier one that failed. Here the unit is the chunk
(consecutive records of one partition): the message's value is a ``Delivery``, and offsets are
committed by watermark (``watermark.PartitionLedger``). Faust still owns the app, the agent,
the group membership and the rebalance.

What is overridden is private to faust-streaming 0.15.3; ``tests`` pin it by name and signature,
so that another version fails there and not by losing records.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, Protocol

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
from faust.types import TP, ConsumerMessage
from faust.types.transports import TPorTopicSet
from mode.utils.futures import maybe_async

from stream_detector.errors import FatalError
from stream_detector.events import Chunk, RawRecord
from stream_detector.kafka.connections import (
    AnswerWatch,
    unconnected_of_consumer,
    unconnected_of_producer,
)
from stream_detector.kafka.ends import known_ends
from stream_detector.kafka.fetched import bound_fetches
from stream_detector.kafka.group_members import DetectorAssignor, GroupView, view_of_group
from stream_detector.kafka.metadata_updates import pace_metadata_updates
from stream_detector.kafka.positions import Positions
from stream_detector.kafka.retry import is_retriable, name_of
from stream_detector.kafka.topic_identity import SeenTopic, seen_topics
from stream_detector.kafka.watermark import Entry, PartitionLedger
from stream_detector.limits import HEADER_MEMORY_BYTES

__all__ = ["ChunkConsumer", "ChunkProducer", "ChunkTransport", "Delivery", "TransportHost"]

logger = logging.getLogger(__name__)
_service_logger = logging.getLogger("faust.chunks")
"""For what Faust's services say of themselves: as quiet as the rest of Faust."""

_FORBIDDEN = (GroupAuthorizationFailedError, TopicAuthorizationFailedError)

Records = dict[TP, list[RawRecord]]
"""What a fetch gives, by partition."""

_KEY, _VALUE, _HEADERS = attrgetter("key"), attrgetter("value"), attrgetter("headers")

_RECORD_OVERHEAD_BYTES = 200
"""What the objects of one record take beside its own bytes: a flood of empty ones counts too."""

_TOPICS_POLL_SECONDS = 0.5
"""How often a commit that is not answered looks whether its topics are still there."""
_ROOM_POLL_SECONDS = 0.25
"""How often a fetch that waits for room looks again for a stop or a rebalance."""

_LEADER_ANSWER_SECONDS = 5.0
"""How long one broker may take to tell the ends of the partitions that it leads."""


class Delivery(NamedTuple):
    """The value of a chunk message: the records, and where they stand in the ledger."""

    chunk: Chunk
    entry: Entry


class TransportHost(Protocol):
    """What the transport asks of the Faust app that it serves."""

    chunk_records: int
    buffered_bytes_max: int
    decompressed_bytes_max: int
    consumer_options: Mapping[str, Any]
    producer_options: Mapping[str, Any]
    starts_at_end: bool
    """Where a new group begins: at the ends of the partitions, or at their beginnings."""

    async def finish_in_flight(self) -> None:
        """Finish the batches that are under way, within the revocation deadline."""
        ...

    def fail(self, error: FatalError) -> None:
        """Stop the process because of ``error``; may be called from any thread."""
        ...

    def count_error(self, error: BaseException) -> None:
        """Count an error that will be retried; may be called from any thread."""
        ...

    def tell_foreign_commit(self, partition: Any, written: int | None, offset: int) -> None:
        """As ``positions.OnForeignCommit``."""
        ...


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """The driver's consumer thread with the project's client options and commit policy."""

    logger = _service_logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetches: set[asyncio.Task[Records]] = set()
        self._halted = True
        self.answers = AnswerWatch(clock=time.monotonic)
        self._positions = Positions(
            at_end=self.app.starts_at_end, on_foreign_commit=self.app.tell_foreign_commit
        )

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``fun`` in this thread and wait for its result, beside whatever else is called.

        Faust queues such calls for two takers: two that wait for a rebalance (a fetch, an end
        offset) would keep a third from running, and if that is the commit which the rebalance
        itself waits for, the group stands still.
        """

        async def call() -> Any:
            return await maybe_async(fun(*args, **kwargs))

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self.thread_loop))

    async def on_thread_stop(self) -> None:
        """As the driver's, to its end: where a fetch is under way aiokafka's own breaks off.

        Its fetcher awaits requests that it has just cancelled. What that raises would leave the
        connections open, and end this thread without a word to those who wait for it.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            await self._ensure_consumer()._client.close()

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Nothing: the error leaves the thread, and is told there; Faust's own prints a trace."""

    async def halt_fetches(self) -> None:
        """End the fetches under way empty-handed, and let none begin."""
        await self.call_thread(self._halt_fetches)

    def allow_fetches(self) -> None:
        """Let fetches begin again."""
        self._halted = False

    async def _halt_fetches(self) -> None:
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
        """As the driver's, but never across a rebalance.

        aiokafka holds a fetch back until the rebalance is over and then advances the new
        positions; its records would be dropped as stale, and nothing would seek back to them.
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
        return await known_ends(self._ensure_consumer(), partitions, seconds=_LEADER_ANSWER_SECONDS)

    def fetch_position(self, tp: TP) -> int | None:
        """Next offset to be fetched, or None where it is not known now; never waits."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription else None
        state = assignment.state_value(driver.ensure_aiokafka_TP(tp)) if assignment else None
        return state.position if state and state.has_valid_position else None

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to where each partition assigned is read from; returns the committed offsets."""
        committed: Mapping[TP, int] = await self.call_thread(
            self._positions.seek, self._ensure_consumer()
        )
        return committed

    async def look_at_topics(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        """Those of the topics ``names`` that are there; the group rejoins where they have changed.

        Raises:
            KafkaError: no broker answers.
        """
        seen: Mapping[str, SeenTopic] = await self.call_thread(self._look_at_topics, names)
        return seen

    async def _look_at_topics(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
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

    async def view_of_group(self, topics: Collection[str]) -> GroupView:
        """Who owns what; what detectors have committed is noted.

        Raises:
            KafkaError: the coordinator does not answer, or may not be asked.
        """
        view: GroupView = await self.call_thread(self._view_of_group, topics)
        return view

    async def _view_of_group(self, topics: Collection[str]) -> GroupView:
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
        """Topics subscribed to that are not there as far as the client knows; never waits."""
        if (consumer := self._consumer) is None:
            return set()
        known = consumer._client.cluster.partitions_for_topic
        return {name for name in consumer.subscription() if not known(name)}

    def unconnected_brokers(self) -> set[str]:
        """As ``connections.unconnected_of_consumer``; none before the consumer is made."""
        if (consumer := self._consumer) is None:
            return set()
        self.answers.look(consumer._client)
        return unconnected_of_consumer(consumer, silent=self.answers.silent)

    def refresh_metadata(self) -> None:
        """Have aiokafka ask which brokers lead what; may be called from any thread."""
        if (consumer := self._consumer) is not None:
            self.thread_loop.call_soon_threadsafe(consumer._client.force_metadata_update)

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        host: TransportHost = self.app
        self._assignor = DetectorAssignor
        bound_fetches(host.decompressed_bytes_max)
        consumer = aiokafka.AIOKafkaConsumer(
            **host.consumer_options,
            enable_auto_commit=False,
            max_poll_records=host.chunk_records,
            partition_assignment_strategy=[self._assignor],
        )
        pace_metadata_updates(consumer._client)
        return consumer

    async def check_group(self) -> None:
        """Raise what the group's coordinator found: aiokafka's own fetch would, Faust's does not.

        Raises:
            FatalError: Kafka does not let this worker join the group.
        """
        await self.call_thread(self._check_group)

    async def _check_group(self) -> None:
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
            self.app.count_error(error)
            logger.warning("group coordination failed, Kafka is asked again: %s", name_of(error))

    def _forbidden(self, error: KafkaError) -> FatalError:
        """What to do about a right that is missing."""
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

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where it has to be tried again or no longer matters, never a loss."""
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        commits = {
            partition: self._positions.commit(partition, offset)
            for tp, offset in offsets.items()
            if tp in assigned
            for partition in [driver.ensure_aiokafka_TP(tp)]
        }
        try:
            await self._commit_what_is_there(consumer, commits)
        except (CommitFailedError, IllegalStateError) as error:
            logger.info("offsets not committed, the group is rebalancing: %s", error)
            return False
        except KafkaError as error:
            if is_retriable(error):
                self.app.count_error(error)
                logger.warning("offsets not committed, will try again: %s", name_of(error))
            else:
                self.app.fail(
                    self._forbidden(error)
                    if isinstance(error, _FORBIDDEN)
                    else FatalError(f"Kafka refused to commit offsets: {error!r}")
                )
            return False
        return len(commits) == len(offsets)

    async def _commit_what_is_there(
        self, consumer: aiokafka.AIOKafkaConsumer, commits: Mapping[Any, Any]
    ) -> None:
        """Commit what of ``commits`` is of topics that are there.

        Raises:
            UnknownTopicOrPartitionError: one of the topics is not there; the others are committed.
            KafkaError: as ``commit`` of aiokafka's consumer.
        """
        try:
            await self._commit_while_topics_are_there(consumer, commits)
        except UnknownTopicOrPartitionError:
            unknown = self.unknown_topics()
            others = {each: commits[each] for each in commits if each.topic not in unknown}
            if others:
                await self._commit_while_topics_are_there(consumer, others)
            raise

    async def _commit_while_topics_are_there(
        self, consumer: aiokafka.AIOKafkaConsumer, commits: Mapping[Any, Any]
    ) -> None:
        """Commit, but do not wait for a topic that was deleted, as aiokafka would for ever.

        Raises:
            UnknownTopicOrPartitionError: one of the topics is not there.
            KafkaError: as ``commit`` of aiokafka's consumer.
        """
        commit = asyncio.ensure_future(consumer.commit(commits))
        try:
            while not (await asyncio.wait({commit}, timeout=_TOPICS_POLL_SECONDS))[0]:
                if gone := self.unknown_topics() & {partition.topic for partition in commits}:
                    raise UnknownTopicOrPartitionError(", ".join(gone))
        finally:
            commit.cancel()
        await commit


class _NoReadOffsets(dict[TP, int]):
    """Tells Faust's fetch loop that it has read nothing yet: the ledgers know better.

    With offsets it would fill its own list of gaps, and drop records for ever after a topic
    was made anew and starts at 0 again.
    """

    def __getitem__(self, tp: TP) -> None:  # type: ignore[override]
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class ChunkConsumer(driver.Consumer):
    """Delivers chunks, keeps a ledger a partition, commits the acknowledged prefix."""

    logger = _service_logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledgers: dict[TP, PartitionLedger] = {}
        self.committed_offsets: dict[TP, int] = {}
        """Next offset to be read by partition assigned, as Kafka has it."""
        self._read_offset = _NoReadOffsets()
        self._epoch = 0
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def buffered_bytes(self) -> int:
        """Bytes delivered and not yet acknowledged."""
        return sum(ledger.buffered_bytes for ledger in self.ledgers.values())

    @property
    def buffered_records(self) -> int:
        """Records delivered and not yet acknowledged."""
        return sum(ledger.buffered_records for ledger in self.ledgers.values())

    # --- delivery ---------------------------------------------------------------------------

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch, and yield one message per chunk."""
        if not await self._wait_for_room():
            return
        records, _ = await self._wait_next_records(timeout)
        epoch = self._epoch
        for tp, of_partition in records.items():
            if self.should_stop or not self.flow_active or epoch != self._epoch:
                return
            if of_partition:
                yield tp, self._to_message(tp, of_partition)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Records:
        """Fetch from the partitions that do not fill their share of the buffer.

        The set of active partitions itself is not the place to filter: Faust pauses and resumes
        partitions by changing it.

        What a rebalance overtook is dropped: it was fetched before the fetches were halted, so
        from positions that are gone.
        """
        fetched_from = self._with_room(active_partitions or set())
        if not fetched_from:
            return {}  # aiokafka would fetch from all
        epoch = self._epoch
        records: Records = await super()._getmany(fetched_from, timeout)
        return records if epoch == self._epoch else {}

    def _with_room(self, active: set[TP]) -> set[TP]:
        """Those of the ``active`` partitions that fill less than their share of the buffer.

        Each has a share of its own: a topic that fills many leaves those of others alone. All
        together hold at most the buffer, and one chunk a partition.
        """
        host: TransportHost = self.app
        share = host.buffered_bytes_max / max(1, len(active))
        return {
            tp
            for tp in active
            if (ledger := self.ledgers.get(tp)) is None or ledger.buffered_bytes < share
        }

    async def _wait_for_room(self) -> bool:
        """Wait while all fill their share; False where there was a stop or a rebalance."""
        epoch = self._epoch
        while self.flow_active and (active := self._get_active_partitions()):
            if self._with_room(active):
                break
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), _ROOM_POLL_SECONDS)
            except TimeoutError:
                if self.should_stop:
                    return False
        return epoch == self._epoch

    def _to_message(self, tp: TP, record: list[RawRecord]) -> ConsumerMessage:
        first, last = record[0], record[-1]
        ledger = self.ledgers.get(tp)
        if ledger is None:
            ledger = self.ledgers[tp] = PartitionLedger()
        entry = ledger.deliver(
            first_offset=first.offset,
            next_offset=last.offset + 1,
            records=len(record),
            size=_memory_of(record),
            first_timestamp=first.timestamp,
        )
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=(last.timestamp or 0) / 1000.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=Delivery(Chunk(tp.topic, tp.partition, record), entry),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=entry.size,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    # --- acknowledgement and commit ---------------------------------------------------------

    def ack(self, message: ConsumerMessage) -> bool:
        """Mark a chunk as done, once all its outputs are in Kafka."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        entry: Entry = message.value.entry
        acknowledged = entry.ledger.acknowledge(entry)
        self._room.set()
        return acknowledged

    async def force_commit(
        self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True
    ) -> bool:
        """Commit the acknowledged prefix of every partition (or of ``topics``)."""
        ledgers = {
            tp: ledger
            for tp, ledger in self.ledgers.items()
            if topics is None or tp in topics or tp.topic in topics
        }
        offsets = {
            tp: offset
            for tp, ledger in ledgers.items()
            if (offset := ledger.committable_offset) is not None
        }
        if not offsets or not await self._commit(offsets):
            return False
        for tp, offset in offsets.items():
            ledgers[tp].committed(offset)
        self.committed_offsets.update(offsets)
        return True

    async def commit_finished(self) -> None:
        """Commit all that is acknowledged by now.

        Faust's ``commit`` waits for one that is under way and then does nothing, and what was
        acknowledged since that one began would replay.
        """
        if self._commit_fut is not None:
            # Not awaited itself: who gives this wait up would cancel it for all who wait.
            await asyncio.wait({self._commit_fut})
        await self.commit()

    async def commit_and_end_transactions(self) -> None:
        """Nothing: the app has committed before it stops; where Kafka is away this would hang."""

    async def check_group(self) -> None:
        """Raise FatalError where Kafka does not let this worker join the group."""
        await self._thread.check_group()

    def fetch_position(self, tp: TP) -> int | None:
        """Next offset to be fetched, or None where it is not known now; never waits."""
        position: int | None = self._thread.fetch_position(tp)
        return position

    async def look_at_topics(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        """Those of the topics ``names`` that are there; the group rejoins where they have changed.

        Raises:
            KafkaError: no broker answers.
        """
        seen: Mapping[str, SeenTopic] = await self._thread.look_at_topics(names)
        return seen

    async def view_of_group(self, topics: Collection[str]) -> GroupView:
        """Who owns what of ``topics``, as the group's coordinator says.

        Raises:
            KafkaError: it does not answer, or may not be asked.
        """
        view: GroupView = await self._thread.view_of_group(topics)
        return view

    def unknown_topics(self) -> set[str]:
        """Topics subscribed to that are not there as far as the client knows; never waits."""
        names: set[str] = self._thread.unknown_topics()
        return names

    def unconnected_brokers(self) -> set[str]:
        """``host:port`` of each broker that is needed and has no connection now; never waits."""
        addresses: set[str] = self._thread.unconnected_brokers()
        return addresses

    @property
    def answers(self) -> AnswerWatch:
        """Which brokers had a connection, and answered, when ``unconnected_brokers`` looked."""
        watch: AnswerWatch = self._thread.answers
        return watch

    def refresh_metadata(self) -> None:
        """Have aiokafka ask which brokers lead what; never waits."""
        self._thread.refresh_metadata()

    # --- rebalance --------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is under way, commit it, and only then let the partitions go.

        The driver's own order drops the acknowledgements first and commits afterwards.
        """
        host: TransportHost = self.app
        self._epoch += 1
        self.stop_flow()
        await self._thread.halt_fetches()
        self.app.flow_control.suspend()
        await host.finish_in_flight()
        await self.commit_finished()
        self._close_ledgers()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, then let fetches begin; nothing before counts any more."""
        self._epoch += 1
        epoch = self._epoch
        await self._thread.halt_fetches()
        self._close_ledgers()
        self.committed_offsets = {
            ensure_TP(tp): offset
            for tp, offset in (await self.seek_to_committed()).items()
            if offset is not None and offset >= 0
        }
        if epoch == self._epoch:  # else another rebalance began, and ends with a seek of its own
            self._thread.allow_fetches()

    def _close_ledgers(self) -> None:
        for ledger in self.ledgers.values():
            ledger.close()
        self.ledgers.clear()
        self.committed_offsets.clear()
        self._room.set()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: the driver's check reads per-message state; ``kafka.lag`` watches instead."""


def _memory_of(records: list[RawRecord]) -> int:
    """About how many bytes ``records`` take in memory."""
    size = _RECORD_OVERHEAD_BYTES * len(records)
    for part in (_KEY, _VALUE):
        size += sum(map(len, filter(None, map(part, records))))
    for headers in filter(None, map(_HEADERS, records)):
        size += HEADER_MEMORY_BYTES * len(headers)
        size += sum(len(name) + len(value or b"") for name, value in headers)
    return size


class ChunkProducer(driver.Producer):
    """The driver's producer with the project's client options; ``publisher`` sends batches."""

    logger = _service_logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.answers = AnswerWatch(clock=time.monotonic)

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
        producer: aiokafka.AIOKafkaProducer = super()._new_producer(transactional_id)
        pace_metadata_updates(producer.client)
        return producer

    def _settings_default(self) -> Mapping[str, Any]:
        host: TransportHost = self.app
        return dict(host.producer_options)

    def _settings_auth(self) -> Mapping[str, Any]:
        return {}

    async def flush(self) -> None:
        """Nothing: who publishes awaits its outputs; what nobody awaits any more is not needed."""

    async def on_stop(self) -> None:
        """Stop at once: aiokafka's would try to send what is left until that times out."""
        if self._producer is not None and (task := self._producer._sender.sender_task) is not None:
            left = self._producer._message_accumulator
            # aiokafka's callback removes a batch that waits to be sent again from those pending.
            left._pending_batches.update(chain(*left._batches.values()))
            for batch in list(left._pending_batches):
                batch.future.cancel()
            task.cancel()
            await asyncio.wait({task})
        await super().on_stop()

    @property
    def client(self) -> aiokafka.AIOKafkaProducer:
        """The started aiokafka producer."""
        return self._ensure_producer()

    def unconnected_brokers(self) -> set[str]:
        """As ``connections.unconnected_of_producer``; none before the producer is made."""
        if (producer := self._producer) is None:
            return set()
        self.answers.look(producer.client)
        return unconnected_of_producer(producer, silent=self.answers.silent)

    def refresh_metadata(self) -> None:
        """Have aiokafka ask which brokers lead what; it does so by itself where a send fails."""
        if self._producer is not None:
            self._producer.client.force_metadata_update()


class ChunkTransport(driver.Transport):
    """Plugs the chunk consumer into a Faust app: set it as ``app.transport``."""

    Consumer: ClassVar[type[ChunkConsumer]] = ChunkConsumer
    Producer: ClassVar[type[ChunkProducer]] = ChunkProducer
