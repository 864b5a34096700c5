"""Proof that the Kafka of the tests is one, and that its helpers tell the truth."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from support.broker import KafkaBroker
from support.processes import (
    ROOT,
    ChildProcess,
    ProcessEndedError,
    start_module,
    wait_for_line,
    wait_until,
)
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


def test_a_process_dies_with_a_parent_that_is_killed(tmp_path):
    script = textwrap.dedent(
        """
        import signal, sys
        from pathlib import Path
        from support.processes import ChildProcess
        child = ChildProcess(["sleep", "600"], log=Path(sys.argv[1]))
        print(child.pid, flush=True)
        signal.pause()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "child.log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        assert is_running(child)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    wait_until(lambda: not is_running(child), timeout=30, what="the end of the child")


def test_a_process_that_ends_early_is_reported_with_its_output(tmp_path):
    process = start_module("json.tool", "no-such-file", log=tmp_path / "tool.log")
    with pytest.raises(ProcessEndedError, match="no-such-file"):
        wait_for_line(process, "never printed")


def test_stop_ends_the_children_of_a_process_too(tmp_path):
    log = tmp_path / "shell.log"
    process = ChildProcess(["sh", "-c", "sleep 600 & echo child $!; wait"], log=log)
    child = int(wait_for_line(process, "child ").split()[1])
    assert process.stop() == -signal.SIGTERM
    wait_until(lambda: not is_running(child), timeout=30, what="the end of the child")


def is_running(pid: int) -> bool:
    """Is there such a process, and is it more than a zombie that nobody has waited for?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
