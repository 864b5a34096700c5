"""Turns delivered chunks into full batches, and overlaps their scoring and publishing.

While one batch is scored in the scorer's thread, the one before it is being published and
the next one fills up. Batches are published and acknowledged in order. Knows neither Faust
nor Kafka: what to do with a batch is passed in.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar

from stream_detector.events import Chunk

__all__ = ["Batcher", "Work"]

Outputs = TypeVar("Outputs")


class Work(NamedTuple):
    """One chunk to be processed, and what to call when all its outputs are published."""

    chunk: Chunk
    acknowledge: Callable[[], object]


class Batcher(Generic[Outputs]):
    """Runs batches through ``process`` (in ``executor``) and ``publish`` (on the event loop).

    ``put`` and ``drain`` are called on the event loop that runs ``run``. Back-pressure is the
    caller's: nothing here bounds what is put. An error of ``process`` or ``publish`` ends
    ``run`` with that error and acknowledges nothing more.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Chunk]], Outputs],
        publish: Callable[[Outputs, Sequence[Chunk]], Awaitable[None]],
        *,
        executor: Executor,
        batch_records: int,
        linger: float,
        clock: Callable[[], float],
    ) -> None:
        """``linger`` and ``clock`` in seconds."""
        self._process = process
        self._publish = publish
        self._executor = executor
        self._batch_records = batch_records
        self._linger = linger
        self._clock = clock
        self._waiting: deque[Work] = deque()
        self._waiting_records = 0
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
        self._arrived.set()
        if self._waiting_records >= self._batch_records:
            self._full.set()

    async def drain(self, timeout: float) -> bool:
        """Drop what has not begun, and wait ``timeout`` seconds for what has.

        Returns whether everything that had begun was finished and acknowledged.
        """
        self._waiting.clear()
        self._waiting_records = 0
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
                chunks = [work.chunk for work in batch]
                encoded = await loop.run_in_executor(self._executor, self._process, chunks)
                if publishing is not None:
                    await publishing
                publishing = asyncio.create_task(self._finish(batch, chunks, encoded))
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
        if self._waiting_records < self._batch_records and linger > 0:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), linger)
        return self._take() or await self._next_batch(publishing)

    def _linger_left(self) -> float:
        """Seconds to wait for a fuller batch; none for the first chunk after an idle time."""
        now = self._clock()
        busy = self._under_way or now < self._last_finished + self._linger
        return self._first_arrival + self._linger - now if busy else 0.0

    def _take(self) -> list[Work]:
        batch: list[Work] = []
        records = 0
        while self._waiting and records < self._batch_records:
            work = self._waiting.popleft()
            records += len(work.chunk.records)
            batch.append(work)
        self._waiting_records -= records
        if batch:
            self._under_way += 1
            self._idle.clear()
        return batch

    async def _finish(self, batch: list[Work], chunks: list[Chunk], encoded: Outputs) -> None:
        await self._publish(encoded, chunks)
        for work in batch:
            work.acknowledge()
        self._last_finished = self._clock()
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
