"""Proof that the Kafka of the tests is one, and that its helpers tell the truth."""

import pytest
from confluent_kafka import Consumer, TopicPartition

from support.broker import KafkaBroker
from support.processes import ProcessEndedError
from support.records import committed_offsets, end_offsets, produce, read_all


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_is_produced_is_read_back_with_its_positions(kafka, topics, codec):
    topic = topics("codec", partitions=3)
    values = [b"value %d" % number for number in range(5000)]
    positions = produce(kafka.bootstrap_servers, topic, values, codec=codec)
    records = read_all(kafka.bootstrap_servers, topic)
    assert {(r.partition, r.offset): r.value for r in records} == dict(
        zip(positions, values, strict=True)
    )
    assert {partition for partition, _ in positions} == {0, 1, 2}


@pytest.mark.kafka
def test_tombstones_keys_and_headers_come_back(kafka, topics):
    topic = topics(partitions=1)
    produce(kafka.bootstrap_servers, topic, [None], keys=[b"k"], headers=[("reason", b"empty")])
    (record,) = read_all(kafka.bootstrap_servers, topic)
    assert (record.key, record.value, record.headers) == (b"k", None, [("reason", b"empty")])


@pytest.mark.kafka
def test_an_empty_topic_reads_as_nothing(kafka, topics):
    assert read_all(kafka.bootstrap_servers, topics()) == []


@pytest.mark.kafka
def test_committed_and_end_offsets_are_those_of_the_group(kafka, topics):
    topic = topics(partitions=2)
    produce(kafka.bootstrap_servers, topic, [b"x"] * 10, partition=1)
    group = f"group-of-{topic}"
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 1, 7)], asynchronous=False)
    consumer.close()
    assert committed_offsets(kafka.bootstrap_servers, group) == {(topic, 1): 7}
    assert end_offsets(kafka.bootstrap_servers, topic) == {(topic, 0): 0, (topic, 1): 10}


@pytest.mark.kafka
def test_a_broker_keeps_its_port_and_its_records_over_stop_and_kill(own_kafka, own_topics):
    topic = own_topics(partitions=1)
    address = own_kafka.bootstrap_servers
    produce(address, topic, [b"before the stop"])
    own_kafka.restart()
    produce(address, topic, [b"before the kill"])
    own_kafka.kill()
    assert not own_kafka.running
    own_kafka.start()
    assert own_kafka.bootstrap_servers == address
    assert [r.value for r in read_all(address, topic)] == [b"before the stop", b"before the kill"]


@pytest.mark.kafka
def test_a_broker_that_cannot_start_says_why(tmp_path):
    broker = KafkaBroker(tmp_path / "kafka", properties=["num.network.threads=none"])
    with pytest.raises(ProcessEndedError, match=r"num\.network\.threads"):
        broker.start()
    assert not broker.running
