import socket
import subprocess
import sys
import textwrap

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream_detector.demo import embedded_broker
from stream_detector.demo.embedded_broker import PARTITIONS, EmbeddedBroker
from stream_detector.errors import SettingsError
from support.records import end_offsets, produce, read_all


@pytest.fixture
def broker():
    with EmbeddedBroker(["events"]) as running:
        yield running


def test_topics_are_there_with_their_partitions_before_anything_is_written(broker):
    offsets = end_offsets(broker.bootstrap_servers, "events")
    assert offsets == {("events", number): 0 for number in range(PARTITIONS)}


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_as_they_were_written(broker, codec):
    values = [b"value %d" % number for number in range(500)]
    positions = produce(
        broker.bootstrap_servers, "events", values, codec=codec, headers=[("a", b"b")]
    )
    records = read_all(broker.bootstrap_servers, "events")
    assert {(r.partition, r.offset): r.value for r in records} == dict(
        zip(positions, values, strict=True)
    )
    assert {tuple(r.headers) for r in records} == {(("a", b"b"),)}


async def test_a_group_resumes_where_it_committed(broker):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        for number in range(10):
            await producer.send_and_wait("events", b"%d" % number, partition=1)
    partition = TopicPartition("events", 1)

    def member(*topics: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *topics,
            bootstrap_servers=broker.bootstrap_servers,
            group_id="group",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async with member("events") as first:
        seen = [(await first.getone()).value for _ in range(10)]
        await first.commit({partition: 4})
    # By hand, since a second join waits out the rebalance delay.
    second = member()
    second.assign([partition])
    async with second:
        assert await second.committed(partition) == 4
        again = [(await second.getone()).value for _ in range(6)]
    assert again == seen[4:]


def test_nothing_answers_after_the_block(broker):
    with EmbeddedBroker() as other:
        host, _, port = other.bootstrap_servers.partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=5)


def test_without_confluent_kafka_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(embedded_broker, "Producer", None)
    with pytest.raises(SettingsError, match=r"pip install 'stream-detector\[demo\]'"):
        EmbeddedBroker().__enter__()


def test_it_writes_nothing_to_the_terminal():
    script = """
        from stream_detector.demo.embedded_broker import EmbeddedBroker
        with EmbeddedBroker(["events"]) as broker:
            assert broker.bootstrap_servers
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
