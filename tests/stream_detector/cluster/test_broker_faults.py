"""A broker of three ends under load: nothing is lost, and the worker stays up and ready."""

import os
import signal
import time
import uuid
from collections import Counter

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka.admin import AdminClient
from faust.types import TP

from stream_detector.kafka.ends import known_ends
from support.bench import Bench
from support.broker import KafkaBroker, create_topic
from support.cluster import KafkaCluster
from support.feed import MixedFeed
from support.labels import label_record
from support.processes import answers, start_module, wait_for_line, wait_until
from support.records import produce
from trainer.labels.store import LabelStore

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

_READY_SECONDS = 60.0


def _coordinator(cluster: KafkaCluster, group: str) -> KafkaBroker:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    found = admin.describe_consumer_groups([group])[group].result()
    return cluster.brokers[found.coordinator.id - 1]


_TARGETS = {
    "leader of input": lambda cluster, bench: cluster.leader(bench.input, 0),
    "leader of verdicts": lambda cluster, bench: cluster.leader(bench.verdicts, 0),
    "coordinator of the group": lambda cluster, bench: _coordinator(cluster, bench.group),
    "controller": lambda cluster, _: cluster.controller(),
}


def wait_for_new_verdicts(bench: Bench, count: int = 200) -> None:
    (worker,) = bench.workers
    bench.wait_for_verdicts(bench.written(bench.verdicts) + count, worker)


def wait_until_ready(bench: Bench) -> None:
    (port,) = bench.ports
    wait_until(
        lambda: answers(f"http://127.0.0.1:{port}/readyz"),
        timeout=_READY_SECONDS,
        what="the worker is ready",
    )


def prove(bench: Bench) -> None:
    (worker,) = bench.workers
    bench.wait_until_committed(worker)
    assert worker.exit_code is None
    assert "Traceback" not in worker.log.read_text()
    bench.prove()


@pytest.mark.parametrize("target", _TARGETS)
def test_nothing_is_lost_when_a_broker_is_killed_under_load(target, own_cluster, bench):
    with MixedFeed(bench):
        wait_for_new_verdicts(bench)
        broker = _TARGETS[target](own_cluster, bench)
        broker.kill()
        # While it is still away.
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
        broker.start()
        own_cluster.wait_until_healthy()
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
    prove(bench)


def test_nothing_is_lost_when_the_brokers_are_restarted_one_after_the_other(own_cluster, bench):
    with MixedFeed(bench):
        for broker in own_cluster.brokers:
            wait_for_new_verdicts(bench)
            broker.restart()
            own_cluster.wait_until_healthy()
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
    prove(bench)


def test_a_worker_without_work_is_ready_again_while_a_broker_is_away(own_cluster, bench):
    (worker,) = bench.workers
    bench.wait_until_committed(worker)
    broker = own_cluster.leader(bench.verdicts, 0)
    broker.kill()
    wait_for_line(worker, f"broker {broker.bootstrap_servers} can't be reached (Conn")
    wait_until_ready(bench)


async def test_one_leader_that_is_away_hides_no_other_partition_s_end(own_cluster):
    topic, count = f"single-{uuid.uuid4().hex[:8]}", 6
    create_topic(own_cluster.bootstrap_servers, topic, count, replicas=1, settings={})
    own_cluster.wait_until_healthy()
    produce(own_cluster.bootstrap_servers, topic, [b"x"] * 60)
    partitions = [TP(topic, number) for number in range(count)]
    async with AIOKafkaConsumer(bootstrap_servers=own_cluster.bootstrap_servers) as consumer:
        consumer.assign(partitions)
        ends = await known_ends(consumer, partitions, seconds=10)
        assert (ends.keys(), sum(ends.values())) == ({*partitions}, 60)
        gone = own_cluster.leader(topic, 0)
        led = {tp for tp in partitions if own_cluster.leader(topic, tp.partition) is gone}
        gone.kill()

        known = await known_ends(consumer, partitions, seconds=10)

    assert known == {tp: end for tp, end in ends.items() if tp not in led}


def test_a_collector_of_labels_stays_up_when_brokers_are_killed_and_hang(
    own_cluster, module_topics, tmp_path
):
    topic, letters = module_topics("labels", partitions=2), module_topics("labels-dlq")
    group = f"group-{topic}"
    settings = {
        "BOOTSTRAP_SERVERS": own_cluster.bootstrap_servers,
        "LABELS_TOPIC": topic,
        "FEED_LABELS_TOPIC": module_topics("label-feeds"),
        "LABELS_DEAD_LETTERS_TOPIC": letters,
        "LABELS_GROUP_ID": group,
    }
    urls = [f"http://host-{number}.example/" for number in range(60)]
    collector = start_module(
        *("trainer", "labels", "collect", "--follow", "--interval", "0.2"),
        log=tmp_path / "collector.log",
        environment={f"STREAM_DETECTOR_{name}": value for name, value in settings.items()},
    )
    store = LabelStore(tmp_path / "label-store")

    def write_and_wait(urls):
        records = map(label_record, urls)
        produce(own_cluster.bootstrap_servers, topic, records, broker_may_fail=True)
        collector.wait_until(
            lambda: {*urls} <= {each.label.url for each in store.labels()},
            timeout=120,
            what="the labels are stored",
        )

    try:
        write_and_wait(urls[:20])
        _coordinator(own_cluster, group).kill()
        write_and_wait(urls[20:40])
        # As long as Kafka takes by default to replace a broker. It asks after 5 s without a label.
        running = [broker.pid for broker in own_cluster.brokers if broker.running]
        for pid in running:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(13)
        for pid in running:
            os.kill(pid, signal.SIGCONT)
        write_and_wait(urls[40:])
        assert collector.exit_code is None, collector.tail()
        assert collector.stop() == 0
    finally:
        collector.kill()
    stored = Counter(each.label.url for each in store.labels())
    assert stored == Counter(urls)
    assert "Traceback" not in collector.log.read_text()
