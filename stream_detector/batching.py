"""Turns delivered chunks into full batches, and overlaps their scoring and publishing.

While one batch is scored in the scorer's thread, the one before it is being published and
the next one fills up. A batch may be processed in parts; parts are published and acknowledged in
order. Knows neither Faust nor Kafka: what to do with a batch is passed in.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar

from stream_detector.events import Chunk

__all__ = ["Batcher", "Work"]

Outputs = TypeVar("Outputs")


class Work(NamedTuple):
    """One chunk to be processed, and what to call when all its outputs are published."""

    chunk: Chunk
    size: int
    """Bytes of memory."""
    acknowledge: Callable[[], object]


class Batcher(Generic[Outputs]):
    """Runs batches through ``process`` (in ``executor``) and ``publish`` (on the event loop).

    ``process`` gives the outputs of a batch in parts, each with the number of the batch's chunks
    that are at their end with it, those of the parts before too; ``publish`` gets the outputs of a
    part, and the chunks that end with it. Those are acknowledged before the next part is published.

    ``put`` and ``drain`` are called on the event loop that runs ``run``. Back-pressure is the
    caller's: nothing here bounds what is put. An error of ``process`` or ``publish`` ends
    ``run`` with that error and acknowledges nothing more.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Chunk]], Iterator[tuple[Outputs, int]]],
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
        self._waiting: deque[Work] = deque()
        self._waiting_records = 0
        self._waiting_bytes = 0
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
        if not self._waiting:
            self._first_arrival = self._clock()
        self._waiting.append(work)
        self._waiting_records += len(work.chunk.records)
        self._waiting_bytes += work.size
        self._arrived.set()
        if self._is_full():
            self._full.set()

    async def drain(self, timeout: float) -> bool:
        """Drop what has not begun, and wait ``timeout`` seconds for what has.

        Returns whether everything that had begun was finished and acknowledged.
        """
        self._waiting.clear()
        self._waiting_records = self._waiting_bytes = 0
        self._full.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return not self._ended

    async def run(self) -> None:
        """Process until cancelled, or until a batch fails."""
        loop = asyncio.get_running_loop()
        publishing: asyncio.Task[None] | None = None
        try:
            while True:
                batch = await self._next_batch(publishing)
                parts = self._process([work.chunk for work in batch])
                done = 0
                while part := await loop.run_in_executor(self._executor, next, parts, None):
                    if publishing is not None:
                        await publishing
                    outputs, ended = part
                    publishing = asyncio.create_task(self._publish_part(outputs, batch[done:ended]))
                    done = ended
                publishing = asyncio.create_task(self._finish(publishing, batch[done:]))
        finally:
            if publishing is not None:
                publishing.cancel()
            self._ended = True
            self._idle.set()  # nobody need wait for what will not be finished

    async def _next_batch(self, publishing: asyncio.Task[None] | None) -> list[Work]:
        """Wait for work, then for a full batch or the linger's end; nothing if idle till now.

        A failure of the batch that is being published shows here as well, at once.
        """
        while not self._waiting:
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
        return self._take() or await self._next_batch(publishing)

    def _linger_left(self) -> float:
        """Seconds to wait for a fuller batch; none for the first chunk after an idle time."""
        now = self._clock()
        busy = self._under_way or now < self._last_finished + self._linger
        return self._first_arrival + self._linger - now if busy else 0.0

    def _is_full(self) -> bool:
        """Does what waits fill a batch?"""
        return (
            self._waiting_records >= self._batch_records or self._waiting_bytes >= self._batch_bytes
        )

    def _take(self) -> list[Work]:
        batch: list[Work] = []
        records = size = 0
        while self._waiting and records < self._batch_records and size < self._batch_bytes:
            work = self._waiting.popleft()
            records += len(work.chunk.records)
            size += work.size
            batch.append(work)
        self._waiting_records -= records
        self._waiting_bytes -= size
        if batch:
            self._under_way += 1
            self._idle.clear()
        return batch

    async def _publish_part(self, outputs: Outputs, works: Sequence[Work]) -> None:
        await self._publish(outputs, [work.chunk for work in works])
        _acknowledge(works)

    async def _finish(self, publishing: "asyncio.Task[None] | None", rest: Sequence[Work]) -> None:
        """End a batch once its last part is published; chunks without records are left."""
        if publishing is not None:
            await publishing
        _acknowledge(rest)
        self._last_finished = self._clock()
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()


def _acknowledge(works: Sequence[Work]) -> None:
    for work in works:
        work.acknowledge()
