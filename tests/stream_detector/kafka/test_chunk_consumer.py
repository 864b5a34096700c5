"""Each partition has a share of the buffer, and commits follow the assignment."""

import asyncio
from types import SimpleNamespace

import faust
import pytest
from faust.transport.consumer import ThreadDelegateConsumer
from faust.types import TP

from stream_detector.kafka.chunk_consumer import ChunkConsumer
from stream_detector.kafka.transport import ChunkTransport
from stream_detector.metrics import Metrics

BUFFER_BYTES = 1_000_000
ATTACKED = [TP("attacked", number) for number in range(9)]
ORDINARY = TP("ordinary", 0)


def record(offset: int, size: int) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, timestamp=1, key=None, value=b"x" * size, headers=())


class Kafka:
    """Has one record of ``size`` bytes for each partition at each fetch."""

    def __init__(self):
        self.size = 150_000
        self.fetches: list[set[TP]] = []

    async def fetch(self, active_partitions, timeout):
        assert active_partitions, "aiokafka would fetch from all"
        self.fetches.append(set(active_partitions))
        return {tp: [record(len(self.fetches), self.size)] for tp in active_partitions}


@pytest.fixture
async def consumer(monkeypatch):
    """The worker's consumer, which fetches from ``consumer.kafka``."""
    app = faust.App("shares", broker="kafka://127.0.0.1:1", store="memory://")
    app.buffered_bytes_max, app.starts_at_end, app.metrics = BUFFER_BYTES, False, Metrics()
    kafka = Kafka()
    monkeypatch.setattr(ThreadDelegateConsumer, "_getmany", kafka.fetch)
    made = ChunkConsumer(
        ChunkTransport(["kafka://127.0.0.1:1"], app),
        callback=lambda message: None,
        on_partitions_revoked=lambda revoked: None,
        on_partitions_assigned=lambda assigned: None,
    )
    made.kafka = kafka
    made.resume_flow()
    return made


async def fetched(consumer) -> list:
    return [message async for _, message in consumer.getmany(0.0)]


async def test_a_topic_that_fills_its_shares_leaves_those_of_others_alone(consumer):
    consumer._active_partitions = {*ATTACKED, ORDINARY}
    messages = [message for message in await fetched(consumer) if message.tp == ORDINARY]
    assert consumer.buffered_bytes > BUFFER_BYTES
    consumer.ack(messages[0])
    assert {message.tp for message in await asyncio.wait_for(fetched(consumer), 5)} == {ORDINARY}
    assert consumer.kafka.fetches[-1] == {ORDINARY}


async def test_a_fetch_waits_while_all_shares_are_full(consumer):
    consumer._active_partitions = set(ATTACKED)
    messages = await fetched(consumer)
    waiting = asyncio.create_task(fetched(consumer))
    await asyncio.sleep(0.6)
    assert not waiting.done()
    consumer.ack(messages[3])
    assert [message.tp for message in await asyncio.wait_for(waiting, 5)] == [messages[3].tp]


async def test_one_partition_alone_has_the_whole_buffer(consumer):
    consumer._active_partitions = {ORDINARY}
    for _ in range(7):
        assert await asyncio.wait_for(fetched(consumer), 5)
    assert consumer.buffered_bytes > BUFFER_BYTES


async def test_a_commit_that_ends_after_a_revocation_notes_no_offset(consumer, monkeypatch):
    consumer._active_partitions = {ORDINARY}
    (message,) = await fetched(consumer)
    consumer.ack(message)

    async def commit(offsets):
        consumer._close_ledgers()  # As a revocation does meanwhile.
        return True

    monkeypatch.setattr(consumer, "_commit", commit)
    assert await consumer.force_commit()
    assert consumer.committed_offsets == {}


async def test_a_seek_that_a_further_rebalance_overtakes_notes_no_offset(consumer, monkeypatch):
    consumer._thread = SimpleNamespace(halt_fetches=_nothing, allow_fetches=lambda: None)

    async def seek():
        consumer._epoch += 1  # As a further rebalance does meanwhile.
        return {ORDINARY: 7}

    monkeypatch.setattr(consumer, "seek_to_committed", seek)
    await consumer.perform_seek()
    assert consumer.committed_offsets == {}


async def _nothing():
    pass
