"""The consumer that delivers chunks, keeps a ledger per partition and commits by watermark.

The overrides depend on pinned versions of Faust and aiokafka: see ``transport``.
"""

import asyncio
from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Any, NamedTuple, cast

from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.transports import TPorTopicSet

from stream_detector.events import Chunk, RawRecord
from stream_detector.kafka.consumer_thread import (
    SERVICE_LOGGER,
    ChunkConsumerThread,
    Records,
    TransportHost,
)
from stream_detector.kafka.watermark import Entry, PartitionLedger
from stream_detector.limits import HEADER_MEMORY_BYTES

_KEY, _VALUE, _HEADERS = attrgetter("key"), attrgetter("value"), attrgetter("headers")

_RECORD_OVERHEAD_BYTES = 200
"""Memory of one record's objects, without its own bytes: a flood of empty records counts too."""
_ROOM_POLL_SECONDS = 0.25
"""How often a fetch that waits for room checks for a stop or a rebalance."""


class Delivery(NamedTuple):
    """The value of a chunk message: the records, and their entry in the ledger."""

    chunk: Chunk
    entry: Entry


class _NoReadOffsets(dict[TP, int]):
    """Makes Faust's fetch loop believe that it has read nothing yet; the ledgers keep the offsets.

    With offsets, Faust would fill its own list of gaps. Once a topic is deleted, created again and
    starts at 0, Faust would also drop all records below its last offset for ever.
    """

    def __getitem__(self, tp: TP) -> None:  # type: ignore[override]
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class ChunkConsumer(driver.Consumer):
    """Delivers chunks, keeps a ledger per partition, commits the acknowledged prefix."""

    logger = SERVICE_LOGGER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ledgers: dict[TP, PartitionLedger] = {}
        self.committed_offsets: dict[TP, int] = {}
        """Next offset to be read of each assigned partition, as committed in Kafka."""
        self._read_offset = _NoReadOffsets()
        self._epoch = 0
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> ChunkConsumerThread:
        """The thread of aiokafka's consumer, which the monitors ask."""
        return cast(ChunkConsumerThread, self._thread)

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
        """Fetch, and yield one message per chunk.

        Faust's own yields a message per record and creates two tasks for each: 30 times slower.
        """
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

        Faust changes its set of active partitions to pause and resume, so it can't be the filter.
        Records that a rebalance overtook are dropped: they come from positions before its seek.
        """
        fetched_from = self._with_room(active_partitions or set())
        if not fetched_from:
            return {}  # aiokafka would fetch from all
        epoch = self._epoch
        records: Records = await super()._getmany(fetched_from, timeout)
        return records if epoch == self._epoch else {}

    def _with_room(self, active: set[TP]) -> set[TP]:
        """Those of the ``active`` partitions that fill less than their share of the buffer.

        Each has a share of its own, so that a flooded topic does not starve the others. All
        together hold at most the buffer and one chunk per partition.
        """
        host: TransportHost = self.app
        share = host.buffered_bytes_max / max(1, len(active))
        return {
            tp
            for tp in active
            if (ledger := self.ledgers.get(tp)) is None or ledger.buffered_bytes < share
        }

    async def _wait_for_room(self) -> bool:
        """Wait while all partitions fill their share; False after a stop or a rebalance."""
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
        entry = self.ledgers.setdefault(tp, PartitionLedger()).deliver(
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
        """Mark a chunk as done, once all its outputs are in Kafka.

        Faust's own acknowledges by offset. Its gap rule lets a later batch commit over an earlier
        one that failed, which would lose the earlier one.
        """
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
            # The partition may have been revoked during the commit, which closed its ledger.
            if not ledgers[tp].closed:
                ledgers[tp].committed(offset)
                self.committed_offsets[tp] = offset
        return True

    async def commit_finished(self) -> None:
        """Commit everything acknowledged by now.

        Faust's ``commit`` waits for a commit that is under way and then does nothing: chunks
        acknowledged since that commit began would be read again.
        """
        if self._commit_fut is not None:
            # Not awaited directly: a cancelled caller would cancel it for everyone who waits.
            await asyncio.wait({self._commit_fut})
        await self.commit()

    async def commit_and_end_transactions(self) -> None:
        """Do nothing: the app committed before it stops; while Kafka is away this would hang."""

    def fetch_position(self, tp: TP) -> int | None:
        """Next offset to be fetched, or None while it is unknown; never waits."""
        return self.thread.fetch_position(tp)

    # --- rebalance --------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish the batches under way, commit them, and only then give the partitions back.

        The driver drops the acknowledgements first and commits afterwards: the next owner would
        read finished records again.
        """
        host: TransportHost = self.app
        self._epoch += 1
        self.stop_flow()
        # Fetches stay halted until the seek behind the rebalance: one that is held back now would
        # advance the positions of the next assignment, and its records would be dropped.
        await self.thread.halt_fetches()
        self.app.flow_control.suspend()
        await host.finish_in_flight()
        await self.commit_finished()
        self._close_ledgers()
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, forget everything before, then let fetches begin.

        The driver lets fetches run during the seek. Their records would come from old positions,
        and the ledgers would take them for the first ones behind the committed offsets.
        """
        self._epoch += 1
        epoch = self._epoch
        await self.thread.halt_fetches()
        self._close_ledgers()
        committed = await self.seek_to_committed()
        if epoch != self._epoch:
            return  # Another rebalance began meanwhile, and ends with a seek of its own.
        self.committed_offsets = {
            ensure_TP(tp): offset
            for tp, offset in committed.items()
            if offset is not None and offset >= 0
        }
        self.thread.allow_fetches()

    def _close_ledgers(self) -> None:
        for ledger in self.ledgers.values():
            ledger.close()
        self.ledgers.clear()
        self.committed_offsets.clear()
        self._room.set()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: the driver's check reads per-message state; ``lag`` watches instead."""


def _memory_of(records: list[RawRecord]) -> int:
    """Bytes that ``records`` take in memory, roughly."""
    size = _RECORD_OVERHEAD_BYTES * len(records)
    for part in (_KEY, _VALUE):
        size += sum(map(len, filter(None, map(part, records))))
    for headers in filter(None, map(_HEADERS, records)):
        size += HEADER_MEMORY_BYTES * len(headers)
        size += sum(len(name) + len(value or b"") for name, value in headers)
    return size
