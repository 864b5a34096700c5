"""Collects delivered chunks into full batches, and overlaps their scoring and publishing.

While the scorer's thread scores one batch, the batch before is published and the next one fills up.
A batch is processed in parts, which are published and acknowledged in order.

Where a batch has more than one part, its open chunk and new batches take turns: a slow chunk delays
only its own partition, and so do many chunks of one part each. Knows neither Faust nor Kafka.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from stream_detector.events import Chunk
from stream_detector.worker.lanes import Lane, Lanes, Work

Outputs = TypeVar("Outputs")

Process = Callable[[Iterable[Chunk]], Iterator[tuple[Outputs, int]]]


class _Batch(Generic[Outputs]):
    """Chunks that are processed together; after its first part, only the open chunk."""

    def __init__(self, works: Sequence[Work], process: "Process[Outputs]") -> None:
        self._left = deque(works)
        self._begun: list[Work] = []
        self._ended = 0
        self.held: Lane | None = None
        """The lane of the open chunk."""
        self.parts: Iterator[tuple[Outputs, int]] = process(self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        while self._left:
            self._begun.append(self._left.popleft())
            yield self._begun[-1].chunk

    def end(self, count: int) -> list[Work]:
        """Note that the first ``count`` chunks have ended; returns the newly ended ones."""
        ended = self._begun[self._ended : count]
        self._ended = count
        return ended

    def end_all(self) -> list[Work]:
        """Note that all chunks have ended; returns the newly ended ones."""
        self._begun += self._left
        self._left.clear()
        return self.end(len(self._begun))

    def give_up_rest(self) -> list[Work]:
        """The chunks that have not begun, which later batches process."""
        rest = list(self._left)
        self._left.clear()
        return rest

    def let_go(self) -> None:
        """Free the records at once.

        The iterator of parts and the batch refer to each other. Python's collector frees such a
        cycle only after many new objects, and a few thousand records of 1 MB are few objects: they
        would fill gigabytes first.
        """
        self.parts = iter(())

    @property
    def last_lane(self) -> Lane:
        """The partition of the chunk that began last; at least one has begun."""
        return self._begun[-1].lane

    @property
    def under_way(self) -> Work | None:
        """The chunk that has begun and has not ended."""
        return self._begun[-1] if len(self._begun) > self._ended else None


class Batcher(Generic[Outputs]):
    """Runs batches through ``process`` (in ``executor``) and ``publish`` (on the event loop).

    ``process`` takes each chunk of a batch when it begins to read it. It yields outputs in parts,
    each with the number of chunks that have ended so far. ``publish`` gets the outputs of a part
    and the chunks that end with it; they are acknowledged before the next part is published, since
    commits follow the order of a partition. Chunks that a part did not reach join a later batch.

    Call ``put`` and ``drain`` on the event loop that runs ``run``. The queue has no bound: the
    caller applies back-pressure. An error of ``process`` or ``publish`` ends ``run`` with that
    error, and no further chunk is acknowledged.
    """

    def __init__(
        self,
        process: "Process[Outputs]",
        publish: Callable[[Outputs, Sequence[Chunk]], Awaitable[None]],
        *,
        executor: Executor,
        batch_records: int,
        batch_bytes: int,
        linger: float,
        clock: Callable[[], float],
    ) -> None:
        """A batch is full at ``batch_records`` or ``batch_bytes``; ``linger`` and ``clock`` in
        seconds."""
        self._process = process
        self._publish = publish
        self._executor = executor
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes
        self._linger = linger
        self._clock = clock
        self._lanes = Lanes()
        self._unfinished: deque[_Batch[Outputs]] = deque()
        """Batches with an open chunk, whose lane is held."""
        self._drains = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = False
        self._first_arrival = float("-inf")
        self._last_finished = float("-inf")

    def put(self, work: Work) -> None:
        """Queue a chunk."""
        if not self._lanes:
            self._first_arrival = self._clock()
        self._lanes.put(work)
        self._arrived.set()
        if self._is_full():
            self._full.set()

    async def drain(self, timeout: float) -> bool:
        """Drop chunks that have not begun, and wait ``timeout`` seconds for the others.

        Returns whether all of those were finished and acknowledged.
        """
        self._drains += 1
        self._lanes.clear()
        self._full.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            while self._unfinished:
                self._finish(self._unfinished.popleft(), ())
            return False
        return not self._ended

    async def run(self) -> None:
        """Process until cancelled, or until a batch fails."""
        loop = asyncio.get_running_loop()
        publishing: asyncio.Task[None] | None = None
        goes_on = False
        try:
            while True:
                # Open chunks and new batches take turns.
                goes_on = bool(self._unfinished) and not (goes_on and self._lanes)
                if goes_on:
                    batch = self._unfinished.popleft()
                elif (taken := await self._next_batch(publishing)) is not None:
                    batch = taken
                else:
                    continue
                drains = self._drains
                part = await loop.run_in_executor(self._executor, next, batch.parts, None)
                if publishing is not None:
                    await publishing
                if part is None:
                    # The remaining chunks have no records.
                    publishing = None
                    self._finish(batch, batch.end_all())
                    continue
                # A part ends by its time or size, often within a chunk. Chunks that have not begun
                # go back to their lanes, where they may join a full batch or give way to another
                # partition. The open chunk stays and holds its lane, so that a partition's chunks
                # are published in order.
                outputs, count = part
                ended = batch.end(count)
                rest = batch.give_up_rest()
                if drains == self._drains:  # A drain drops the chunks that have not begun.
                    self._lanes.put_back(rest)
                # A part is a turn of its last lane, even where the chunk ends with it.
                if rest or batch.under_way is not None:
                    self._lanes.pass_turn(batch.last_lane)
                if batch.under_way is not None:
                    batch.held = batch.under_way.lane
                    self._lanes.hold(batch.held)
                    self._unfinished.append(batch)
                publishing = asyncio.create_task(
                    self._publish_part(batch, outputs, ended, is_last=batch.under_way is None)
                )
        finally:
            if publishing is not None:
                publishing.cancel()
            self._ended = True
            self._idle.set()  # ``drain`` must not wait for batches that nobody will finish.

    async def _next_batch(self, publishing: asyncio.Task[None] | None) -> "_Batch[Outputs] | None":
        """Wait for work, then for a full batch or the end of the linger; no linger after idling.

        Raises an error of ``publishing`` at once. None where a drain dropped the work.
        """
        while not self._lanes:
            self._arrived.clear()
            arrival = asyncio.create_task(self._arrived.wait())
            try:
                await asyncio.wait(
                    {arrival, publishing} if publishing and not publishing.done() else {arrival},
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                arrival.cancel()
            if publishing is not None and publishing.done():
                publishing.result()
        linger = self._linger_left()
        if not self._is_full() and linger > 0:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), linger)
        return self._take()

    def _linger_left(self) -> float:
        """Seconds to wait for a fuller batch; 0 for the first chunk after an idle time."""
        now = self._clock()
        busy = self._under_way or now < self._last_finished + self._linger
        return self._first_arrival + self._linger - now if busy else 0.0

    def _is_full(self) -> bool:
        """Whether the waiting chunks fill a batch."""
        lanes = self._lanes
        return lanes.records >= self._batch_records or lanes.bytes >= self._batch_bytes

    def _take(self) -> "_Batch[Outputs] | None":
        works: list[Work] = []
        records = size = 0
        while records < self._batch_records and size < self._batch_bytes:
            work = self._lanes.take()
            if work is None:
                break
            records += len(work.chunk.records)
            size += work.size
            works.append(work)
        if not works:
            return None
        self._under_way += 1
        self._idle.clear()
        return _Batch(works, self._process)

    async def _publish_part(
        self, batch: "_Batch[Outputs]", outputs: Outputs, ended: Sequence[Work], *, is_last: bool
    ) -> None:
        await self._publish(outputs, [work.chunk for work in ended])
        if is_last:
            self._finish(batch, ended)
        else:
            _acknowledge(ended)

    def _finish(self, batch: "_Batch[Outputs]", ended: Sequence[Work]) -> None:
        """Note that ``batch`` is finished or given up."""
        _acknowledge(ended)
        batch.let_go()
        if batch.held is not None:
            self._lanes.release(batch.held)
        self._last_finished = self._clock()
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()


def _acknowledge(works: Sequence[Work]) -> None:
    for work in works:
        work.acknowledge()
