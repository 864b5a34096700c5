"""Pins what the chunk transport overrides and reads of Faust and aiokafka.

Each entry is private to the versions pinned in ``pyproject.toml``. A test that fails here after
an upgrade names what moved: read the new source before you touch the pin.
"""

import hashlib
import inspect
from importlib.metadata import version

import aiokafka
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from faust import App
from faust.streams import Stream
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Producer,
    Transport,
)
from faust.transport.drivers.aiokafka import Consumer as DriverConsumer

from stream_detector.kafka import chunk_consumer, consumer_thread, fetched, transport
from stream_detector.kafka.publisher import fill

OVERRIDDEN = [
    (DriverConsumer, chunk_consumer.ChunkConsumer, "_new_consumer_thread"),
    (Consumer, chunk_consumer.ChunkConsumer, "getmany"),
    (DriverConsumer, chunk_consumer.ChunkConsumer, "_getmany"),
    (DriverConsumer, chunk_consumer.ChunkConsumer, "_to_message"),
    (Consumer, chunk_consumer.ChunkConsumer, "ack"),
    (Consumer, chunk_consumer.ChunkConsumer, "force_commit"),
    (Consumer, chunk_consumer.ChunkConsumer, "commit_and_end_transactions"),
    (Consumer, chunk_consumer.ChunkConsumer, "on_partitions_revoked"),
    (Consumer, chunk_consumer.ChunkConsumer, "perform_seek"),
    (DriverConsumer, chunk_consumer.ChunkConsumer, "verify_event_path"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "call_thread"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "on_crash"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "on_thread_stop"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "_fetch_records"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "_create_worker_consumer"),
    (AIOKafkaConsumerThread, consumer_thread.ChunkConsumerThread, "_commit"),
    (Producer, transport.ChunkProducer, "flush"),
    (Producer, transport.ChunkProducer, "on_stop"),
    (Producer, transport.ChunkProducer, "_settings_default"),
    (Producer, transport.ChunkProducer, "_settings_auth"),
    (PartitionRecords, fetched.RecordsAsDecoded, "_consumer_record"),
    (FetchResult, fetched.FetchedChunks, "getall"),
]

# Bodies whose logic the overrides rely on: who calls what, and in which order.
BODIES = {
    Consumer._drain_messages: "44a2500309e83c63",
    Consumer._wait_next_records: "6218e1969a636b3f",
    Consumer._get_active_partitions: "b24897f3c7afdb5d",
    Consumer.commit: "a354437baaa08bf8",
    Consumer.on_partitions_revoked: "d04b7ae72c6fc206",
    Consumer.on_partitions_assigned: "29ce96596f05a18c",
    Consumer.perform_seek: "0e8c130ff4b0afd8",
    Consumer.on_stop: "45b1d2210ce2b526",
    ThreadDelegateConsumer.threadsafe_partitions_revoked: "6c55d67e9eb06ca5",
    AIOKafkaConsumerThread.getmany: "26fc5fc9f3b667e1",
    AIOKafkaConsumerThread._fetch_records: "39a2c6c79fc1455a",
    AIOKafkaConsumerThread._create_worker_consumer: "c2701bfc3e6f6cad",
    AIOKafkaConsumerThread.on_thread_stop: "8dfc004e258b6c25",
    Producer.on_stop: "86799c5ab7b662f7",
    Fetcher.close: "1cd24bc1c442149e",
    aiokafka.AIOKafkaProducer.stop: "43ef97147111893b",
    MessageAccumulator.flush: "2b0eaa3da8519269",
    AIOKafkaConsumerThread._commit: "932852ce7a23f658",
    Producer._new_producer: "e72355c3430ed02f",
    App._on_partitions_revoked: "d5c895bbe57dc73a",
    App._on_partitions_assigned: "de932b7927db85b3",
    App._stop_consumer: "55854a5de12c3f52",
    App.on_stop: "bfe5a933defb2324",
    Stream._py_aiter: "3a48ee257a65435b",
    Fetcher._proc_fetch_request: "59bf948fff47eed5",
    PartitionRecords._unpack_records: "b803e6d46480732c",
    PartitionRecords._consumer_record: "e668541600b047ab",
    Fetcher.fetched_records: "be4348896b9b66af",
    FetchResult.getall: "3e717e30de5068d5",
    BatchBuilder.append: "657d76f55157d9ca",
}


def digest(function) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def test_the_versions_are_those_whose_internals_are_overridden():
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka") == "0.14.0"


@pytest.mark.parametrize(("base", "ours", "name"), OVERRIDDEN, ids=str)
def test_an_overridden_method_is_still_there_with_the_same_parameters(base, ours, name):
    theirs, mine = getattr(base, name), getattr(ours, name)
    assert theirs is not mine
    assert list(inspect.signature(theirs).parameters) == list(inspect.signature(mine).parameters)
    assert inspect.iscoroutinefunction(theirs) == inspect.iscoroutinefunction(mine)
    assert inspect.isasyncgenfunction(theirs) == inspect.isasyncgenfunction(mine)


@pytest.mark.parametrize("function", BODIES, ids=lambda function: function.__qualname__)
def test_the_bodies_that_the_overrides_rely_on_are_unchanged(function):
    assert digest(function) == BODIES[function]


def test_the_transport_makes_our_consumer_and_producer():
    assert issubclass(transport.ChunkTransport, Transport)
    assert transport.ChunkTransport.Consumer is chunk_consumer.ChunkConsumer
    assert transport.ChunkTransport.Producer is transport.ChunkProducer


def test_the_overrides_hide_no_method_that_is_not_listed():
    listed = {name for _, ours, name in OVERRIDDEN if ours is chunk_consumer.ChunkConsumer}
    hidden = {
        name
        for name in vars(chunk_consumer.ChunkConsumer)
        if not name.startswith("__") and hasattr(DriverConsumer, name)
    }
    assert {name for name in hidden if callable(getattr(DriverConsumer, name))} == listed


async def test_aiokafka_keeps_the_state_that_is_read_of_it():
    state = TopicPartitionState(None)
    assert not state.has_valid_position
    state.seek(7)
    assert state.position == 7
    assert callable(Assignment.state_value)
    assert callable(GroupCoordinator.check_errors)
    client = AIOKafkaClient()
    assert client._conns == {}
    assert callable(AIOKafkaConnection.connected)
    consumer = aiokafka.AIOKafkaConsumer(group_id="group")
    assert consumer._client.cluster.brokers() == set()
    assert consumer._coordinator is None
    assert "self.coordinator_id = None" in inspect.getsource(GroupCoordinator.__init__)


def test_aiokafka_sends_whole_record_batches():
    assert list(inspect.signature(aiokafka.AIOKafkaProducer.send_batch).parameters) == [
        "self",
        "batch",
        "topic",
        "partition",
    ]


def test_a_record_batch_that_is_filled_directly_is_the_one_that_append_fills():
    messages = [(b"k", b"v" * 500, [("name", b"x")]), (None, b"w", []), (b"", None, [])] * 200
    for size in (100, 2_000, 1_000_000):
        theirs, ours = BatchBuilder(size, 0), BatchBuilder(size, 0)
        fitting = 0
        for key, value, headers in messages:
            if theirs.append(timestamp=7, key=key, value=value, headers=headers) is None:
                break
            fitting += 1
        assert fill(ours, messages, 7) == fitting == ours.record_count() >= 1
        assert bytes(ours._build()) == bytes(theirs._build())
