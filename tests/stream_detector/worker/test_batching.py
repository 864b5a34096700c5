import asyncio
import contextlib
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from stream_detector.errors import ModelError, PublishError
from stream_detector.events import Chunk
from stream_detector.worker.batching import Batcher, Work


class Bench:
    """A batcher between a process and a publish that the test steers."""

    def __init__(self, *, batch_records=4, linger=0.0):
        self.now = 0.0
        self.part_chunks = 100
        self.slow, self.slow_parts = None, 1
        self.may_pass = 100
        """Parts after which ``may_process`` is needed again."""
        self.processed: list[list[int]] = []
        self.published: list[list[int]] = []
        self.acknowledged: list[int] = []
        self.may_process = threading.Event()
        self.may_process.set()
        self.may_publish = asyncio.Event()
        self.may_publish.set()
        self.process_error: Exception | None = None
        self.publish_error: Exception | None = None
        self.executor = ThreadPoolExecutor(1)
        self.batcher = Batcher(
            self._process,
            self._publish,
            executor=self.executor,
            batch_records=batch_records,
            batch_bytes=100,
            linger=linger,
            clock=lambda: self.now,
        )

    def _process(self, chunks):
        """Parts of at most ``part_chunks`` chunks, or ``slow_parts`` of ``slow``."""
        done = 0
        while taken := list(islice(chunks, self.part_chunks)):
            names = [chunk.partition for chunk in taken]
            for left in reversed(range(self.slow_parts if self.slow in names else 1)):
                if len(self.processed) >= self.may_pass:
                    self.may_process.clear()
                assert self.may_process.wait(10)
                if self.process_error:
                    raise self.process_error
                self.processed.append(names)
                yield names, done + (0 if left else len(names))
            done += len(names)

    async def _publish(self, outputs, chunks):
        await self.may_publish.wait()
        if self.publish_error:
            raise self.publish_error
        self.published.append(outputs)

    def put(self, name, records=1, size=1, record=None):
        chunk = Chunk("topic", name, [record] * records)
        self.batcher.put(Work(chunk, size, lambda: self.acknowledged.append(name)))

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@pytest.fixture
async def bench():
    bench = Bench()
    task = asyncio.create_task(bench.batcher.run())
    bench.task = task
    yield bench
    bench.may_process.set()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, ModelError, PublishError):
        await task
    bench.executor.shutdown()


async def test_a_chunk_is_acknowledged_after_it_is_published(bench):
    bench.may_publish.clear()
    bench.put(1)
    await bench.until(lambda: bench.processed)
    assert not bench.acknowledged
    bench.may_publish.set()
    await bench.until(lambda: bench.acknowledged == [1])


async def test_chunks_that_arrive_while_the_scorer_is_busy_make_one_batch(bench):
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    for name in (2, 3, 4):
        bench.put(name)
    bench.may_process.set()
    await bench.until(lambda: bench.acknowledged == [1, 2, 3, 4])
    assert bench.processed == [[1], [2, 3, 4]]


async def test_a_batch_holds_no_chunk_beyond_the_one_that_fills_it(bench):
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    for name in (2, 3, 4):
        bench.put(name, records=3)
    bench.may_process.set()
    await bench.until(lambda: len(bench.acknowledged) == 4)
    assert bench.processed == [[1], [2, 3], [4]]


async def test_the_next_batch_is_scored_while_the_last_is_being_published(bench):
    bench.may_publish.clear()
    bench.put(1)
    await bench.until(lambda: len(bench.processed) == 1)
    bench.put(2)
    await bench.until(lambda: len(bench.processed) == 2)
    assert bench.published == []
    bench.may_publish.set()
    await bench.until(lambda: bench.acknowledged == [1, 2])


async def test_batches_are_published_in_order(bench):
    for name in range(40):
        bench.put(name)
    await bench.until(lambda: len(bench.acknowledged) == 40)
    assert bench.acknowledged == list(range(40))


async def test_a_failed_score_ends_the_run_and_acknowledges_nothing(bench):
    bench.process_error = ModelError("broken")
    bench.put(1)
    with pytest.raises(ModelError):
        await asyncio.wait_for(asyncio.shield(bench.task), 10)
    assert bench.acknowledged == []


async def test_a_failed_publish_ends_an_idle_run_at_once(bench):
    bench.publish_error = PublishError("no right")
    bench.put(1)
    with pytest.raises(PublishError):
        await asyncio.wait_for(asyncio.shield(bench.task), 10)
    assert bench.acknowledged == []


async def test_drain_does_not_wait_for_a_run_that_failed(bench):
    bench.process_error = ModelError("broken")
    bench.put(1)
    with pytest.raises(ModelError):
        await asyncio.wait_for(asyncio.shield(bench.task), 10)
    assert not await bench.batcher.drain(3600)


async def test_a_drain_drops_waiting_chunks_and_finishes_begun_ones(bench):
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    bench.put(2)
    draining = asyncio.create_task(bench.batcher.drain(10))
    await asyncio.sleep(0)
    bench.may_process.set()
    assert await draining
    assert bench.acknowledged == [1]
    bench.put(3)
    await bench.until(lambda: bench.acknowledged == [1, 3])


async def test_a_drain_reports_a_missed_deadline(bench):
    bench.may_publish.clear()
    bench.put(1)
    await bench.until(lambda: bench.processed)
    assert not await bench.batcher.drain(0.01)


async def test_an_idle_worker_adds_no_wait_and_a_busy_one_lingers():
    bench = Bench(linger=3600.0)
    task = asyncio.create_task(bench.batcher.run())
    bench.now = 10_000.0
    bench.put(1)
    await bench.until(lambda: bench.acknowledged == [1])  # idle till now: no linger
    bench.put(2)
    await asyncio.sleep(0.05)
    assert bench.acknowledged == [1]  # just finished one: waits for more ...
    bench.put(3, records=3)
    await bench.until(lambda: bench.acknowledged == [1, 2, 3])  # ... until the batch is full
    task.cancel()
    bench.executor.shutdown()


async def test_a_batch_is_full_by_its_bytes_too(bench):
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    for name in (2, 3, 4):
        bench.put(name, size=60)
    bench.may_process.set()
    await bench.until(lambda: len(bench.acknowledged) == 4)
    assert bench.processed == [[1], [2, 3], [4]]


async def test_a_part_is_acknowledged_while_the_rest_of_its_batch_is_processed(bench):
    bench.part_chunks = 1
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    bench.put(2)
    bench.put(3)
    bench.may_pass = 2
    bench.may_process.set()
    await bench.until(lambda: bench.acknowledged == [1, 2])
    assert bench.processed == [[1], [2]]
    bench.may_pass = 100
    bench.may_process.set()
    await bench.until(lambda: bench.acknowledged == [1, 2, 3])


async def test_no_more_than_one_part_is_made_while_one_is_being_published(bench):
    bench.part_chunks = 1
    bench.may_publish.clear()
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    for name in (2, 3, 4):
        bench.put(name)
    bench.may_process.set()
    await bench.until(lambda: bench.processed == [[1], [2]])
    await asyncio.sleep(0.05)
    assert bench.processed == [[1], [2]]
    bench.may_publish.set()
    await bench.until(lambda: bench.acknowledged == [1, 2, 3, 4])
    assert bench.published == [[1], [2], [3], [4]]


async def test_a_part_that_fails_leaves_the_parts_before_it_acknowledged(bench):
    bench.part_chunks = 1
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    bench.put(2)
    bench.put(3)
    bench.may_pass = 2
    bench.may_process.set()
    await bench.until(lambda: bench.acknowledged == [1, 2])
    bench.process_error = ModelError("broken")
    bench.may_pass = 100
    bench.may_process.set()
    with pytest.raises(ModelError):
        await asyncio.wait_for(asyncio.shield(bench.task), 10)
    assert bench.acknowledged == [1, 2]


async def test_a_chunk_that_takes_long_holds_up_no_other_partition(bench):
    bench.part_chunks = 1
    bench.slow, bench.slow_parts = 1, 5
    bench.put(1)
    bench.put(1)
    bench.put(2)
    bench.put(3)
    await bench.until(lambda: len(bench.acknowledged) == 4)
    assert bench.acknowledged == [2, 3, 1, 1]
    assert bench.processed[:5] == [[1], [1], [2], [1], [3]]


async def test_chunks_that_are_a_part_each_hold_up_no_other_partition(bench):
    bench.part_chunks = 1
    for name in (1, 1, 1, 1, 2, 3):
        bench.put(name)
    await bench.until(lambda: len(bench.acknowledged) == 6)
    assert bench.acknowledged == [1, 2, 3, 1, 1, 1]


async def test_a_drain_drops_chunks_that_a_part_left_to_the_next_batch(bench):
    bench.part_chunks = 1
    bench.may_process.clear()
    bench.put(1)
    await bench.until(lambda: not bench.batcher._lanes)
    bench.put(2)
    draining = asyncio.create_task(bench.batcher.drain(10))
    await asyncio.sleep(0)
    bench.may_process.set()
    assert await draining
    await asyncio.sleep(0.05)
    assert bench.acknowledged == [1]


async def test_records_are_freed_once_acknowledged_without_the_garbage_collector(bench):
    class Record:
        pass

    bench.part_chunks = 1  # a part that ends before the batch was read to its end
    gc.collect()
    gc.disable()
    try:
        seen = []
        for name in range(20):
            record = Record()
            seen.append(weakref.ref(record))
            bench.put(name, record=record)
            del record
            await bench.until(lambda name=name: name in bench.acknowledged)
        # The run still holds the last batch.
        assert [ref() for ref in seen[:-2]] == [None] * 18
    finally:
        gc.enable()
