"""Turns delivered chunks into full batches, and overlaps their scoring and publishing.

While one batch is scored in the scorer's thread, the one before it is being published and
the next one fills up. A batch is processed in parts; parts are published and acknowledged in order.

Where a batch is more than a part, the chunk that is under way and new batches take turns: a chunk
that takes long holds up its own partition alone, and so do many that take a part each. Knows
neither Faust nor Kafka: what to do with a batch is passed in.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from stream_detector.events import Chunk
from stream_detector.worker.lanes import Lane, Lanes, Work

__all__ = ["Batcher", "Work"]

Outputs = TypeVar("Outputs")

Process = Callable[[Iterable[Chunk]], Iterator[tuple[Outputs, int]]]


class _Batch(Generic[Outputs]):
    """Chunks that are processed together; after the first part, the one that is under way."""

    def __init__(self, works: Sequence[Work], process: "Process[Outputs]") -> None:
        self._left = deque(works)
        self._begun: list[Work] = []
        self._ended = 0
        self.held: Lane | None = None
        """Of the chunk that is under way."""
        self.parts: Iterator[tuple[Outputs, int]] = process(self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        while self._left:
            self._begun.append(self._left.popleft())
            yield self._begun[-1].chunk

    def end(self, count: int) -> list[Work]:
        """Note that so many chunks are at their end; returns those that were not before."""
        ended = self._begun[self._ended : count]
        self._ended = count
        return ended

    def end_all(self) -> list[Work]:
        """Note that all is at its end; returns as ``end``."""
        self._begun += self._left
        self._left.clear()
        return self.end(len(self._begun))

    def give_up_rest(self) -> list[Work]:
        """The chunks that have not begun, which this batch leaves to others."""
        rest = list(self._left)
        self._left.clear()
        return rest

    def let_go(self) -> None:
        """Free the records at once.

        The parts hold the batch and the batch holds the parts, which are mostly not read to their
        end. Python's collector frees such a circle once many objects were made, and a few thousand
        records of 1 MB are few objects: they would fill gigabytes first.
        """
        self.parts = iter(())

    @property
    def last_lane(self) -> Lane:
        """The partition of the chunk that began last; one has."""
        return self._begun[-1].lane

    @property
    def under_way(self) -> Work | None:
        """The chunk that has begun and is not at its end."""
        return self._begun[-1] if len(self._begun) > self._ended else None


class Batcher(Generic[Outputs]):
    """Runs batches through ``process`` (in ``executor``) and ``publish`` (on the event loop).

    ``process`` takes the chunks of a batch one by one, each when it begins to read it. It gives
    their outputs in parts, each with the number of chunks that are at their end with it, those of
    the parts before too; ``publish`` gets the outputs of a part, and the chunks that end with it.
    Those are acknowledged before the next part is published. Chunks that have not begun when a part
    is made go into the next batch.

    ``put`` and ``drain`` are called on the event loop that runs ``run``. Back-pressure is the
    caller's: nothing here bounds what is put. An error of ``process`` or ``publish`` ends
    ``run`` with that error and acknowledges nothing more.
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
        """Each has a chunk under way, whose lane is held."""
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
        """Drop what has not begun, and wait ``timeout`` seconds for what has.

        Returns whether everything that had begun was finished and acknowledged.
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
                # What is under way and what is new take turns.
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
                    publishing = None
                    self._finish(batch, batch.end_all())
                    continue
                outputs, count = part
                ended = batch.end(count)
                rest = batch.give_up_rest()
                if drains == self._drains:
                    self._lanes.put_back(rest)
                # A chunk that makes a part of its own is a turn, though it is at its end with it.
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
            self._idle.set()  # nobody need wait for what will not be finished

    async def _next_batch(self, publishing: asyncio.Task[None] | None) -> "_Batch[Outputs] | None":
        """Wait for work, then for a full batch or the linger's end; nothing if idle till now.

        A failure of the batch that is being published shows here as well, at once. None where the
        work was dropped meanwhile.
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
        """Seconds to wait for a fuller batch; none for the first chunk after an idle time."""
        now = self._clock()
        busy = self._under_way or now < self._last_finished + self._linger
        return self._first_arrival + self._linger - now if busy else 0.0

    def _is_full(self) -> bool:
        """Does what waits fill a batch?"""
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
        """Note that nothing of ``batch`` is under way any more."""
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
