"""A broker of three ends under load: nothing is lost, and the worker stays up and ready."""

import asyncio
import os
import re
import signal
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka.admin import AdminClient
from faust.types import TP

from stream_detector.kafka.leaders import known_ends
from stream_detector.terminal.counted import counted
from support.bench import PARTITIONS, Bench
from support.broker import KafkaBroker, create_topic
from support.cluster import KafkaCluster
from support.commands import run_command
from support.feed import MixedFeed
from support.labels import label_record
from support.processes import answers, start_module, wait_for_line, wait_until
from support.records import committed_offsets, produce
from trainer.labels.store import LabelStore

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

_READY_SECONDS = 60.0
NAMED_SECONDS = 20
"""A broker that hangs is named within so long."""


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


def readyz(bench: Bench) -> tuple[int, str]:
    """Status and text of /readyz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.ports[-1]}/readyz") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def told_lag(bench: Bench) -> set[int]:
    """Partitions of the input topic of which /metrics shows the lag."""
    found = re.findall(
        r'^stream_detector_lag_records{partition="(.*)",topic', bench.metrics(), re.M
    )
    return {int(number) for number in found}


@contextmanager
def frozen(brokers: Sequence[KafkaBroker]) -> Iterator[None]:
    """Brokers that take connections for the block, and answer nothing."""
    stopped = [broker.pid for broker in brokers]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def single_copies(own_cluster: KafkaCluster, module_topics, tmp_path) -> Iterator[Bench]:
    """A worker; of its input and its verdicts each partition is on one broker alone."""

    def topics(label: str, *, partitions: int, **settings: str) -> str:
        if label not in {"events", "verdicts"}:
            return module_topics(label, partitions=partitions, **settings)
        name = f"{label}-{uuid.uuid4().hex[:8]}"
        create_topic(own_cluster.bootstrap_servers, name, partitions, replicas=1, settings=settings)
        return name

    bench = Bench(own_cluster.bootstrap_servers, topics, tmp_path, STREAM_DETECTOR_KAFKA_OPTIONS="")
    own_cluster.wait_until_healthy()
    yield bench
    bench.close()


def test_a_worker_goes_on_with_the_partitions_that_have_a_leader_and_says_which_have_none(
    own_cluster, single_copies
):
    bench, every = single_copies, set(range(PARTITIONS))
    leaders = {number: own_cluster.leader(bench.input, number) for number in every}
    worker = bench.start_worker()
    coordinator = _coordinator(own_cluster, bench.group)
    gone = next(leader for leader in leaders.values() if leader is not coordinator)
    led = {number for number, leader in leaders.items() if leader is gone}

    def write_and_wait(name: str, partitions: set[int]) -> None:
        for number in partitions:
            urls = [f"http://{name}-{number}-{each}.example/".encode() for each in range(50)]
            produce(own_cluster.bootstrap_servers, bench.input, urls, partition=number)

        def is_done() -> bool:
            statuses.add(readyz(bench)[0])
            committed = committed_offsets(own_cluster.bootstrap_servers, bench.group)
            ends = {number: written[number] for number in partitions}
            found = {number: offset for (_, number), offset in committed.items()}
            return all(found.get(number) == end for number, end in ends.items())

        for number in partitions:
            written[number] += 50
        began = time.monotonic()
        bench.workers[-1].wait_until(is_done, timeout=90, what=f"{name} is committed")
        print(f"{name}: {time.monotonic() - began:.1f} s")

    statuses: set[int] = set()
    written = dict.fromkeys(every, 0)
    write_and_wait("before", every)
    wait_until(lambda: told_lag(bench) == every, timeout=15, what="lag of all partitions")

    gone.kill()
    named = ", ".join(f"{bench.input}:{number}" for number in sorted(led))
    silent = f"no leader answers for {counted(len(led), 'partition')} ({named}): "
    began = time.monotonic()
    worker.wait_until(
        lambda: readyz(bench)[1].startswith(f"ready, but {silent}"),
        timeout=30,
        what="/readyz names the partitions",
    )
    print(f"named after {time.monotonic() - began:.1f} s")
    wait_until(lambda: told_lag(bench) == every - led, timeout=15, what="lag of those that answer")
    write_and_wait("without", every - led)
    assert told_lag(bench) == every - led
    assert statuses == {200}
    assert "stream_detector_ready 1.0" in bench.metrics()

    done = run_command(
        "doctor",
        # Without models, which take seconds to load.
        *("--url-bundle", str(bench.folder), "--host-bundle", str(bench.folder)),
        settings={
            name.removeprefix("STREAM_DETECTOR_"): value
            for name, value in bench.environment.items()
            if name.startswith("STREAM_DETECTOR_")
        },
    )
    told = done.stdout.decode()
    numbers = ", ".join(map(str, sorted(led)))
    for line in (
        f"FAIL  topics        topic {bench.input} has no leader for {len(led)} of {PARTITIONS} "
        f"partitions ({numbers}): bring back a broker that has them\n",
        f"warn  replicas      1 replica of {bench.input}, {bench.verdicts}: records are lost with "
        "a broker's disk; ",
        f"ok    group         {bench.group} may be joined, and has 1 detector now\n",
    ):
        assert line in told
    assert "outlives a broker" not in told

    # One that starts now does so too.
    assert worker.stop() == 0
    bench.start_worker()
    write_and_wait("started", every - led)
    assert statuses == {200}

    gone.start()
    write_and_wait("back", led)
    wait_until(lambda: readyz(bench) == (200, "ready\n"), timeout=30, what="all is well")
    wait_until(lambda: told_lag(bench) == every, timeout=15, what="lag of all partitions")
    assert bench.written(bench.verdicts) == sum(written.values())

    with frozen(own_cluster.brokers):
        began = time.monotonic()
        mute = r"Kafka can't be reached \(.*: it accepts connections but does not answer\): check"
        wait_until(
            lambda: (found := readyz(bench))[0] == 503 and re.match(mute, found[1]) is not None,
            timeout=NAMED_SECONDS,
            what="/readyz says that no broker answers",
        )
        print(f"frozen brokers named after {time.monotonic() - began:.1f} s: {readyz(bench)[1]}")
        wait_until(lambda: not told_lag(bench), timeout=10, what="no lag is told")
        assert f"stream_detector_assigned_partitions {PARTITIONS}.0" in bench.metrics()
    wait_until(lambda: readyz(bench) == (200, "ready\n"), timeout=60, what="all is well")
    wait_until(lambda: told_lag(bench) == every, timeout=15, what="lag of all partitions")
    assert bench.workers[-1].stop() == 0


async def test_one_leader_that_is_away_hides_no_other_partition_s_end(
    own_cluster,
):
    topic, count = f"single-{uuid.uuid4().hex[:8]}", 6
    create_topic(own_cluster.bootstrap_servers, topic, count, replicas=1, settings={})
    own_cluster.wait_until_healthy()
    produce(own_cluster.bootstrap_servers, topic, [b"x"] * 60)
    partitions = [TP(topic, number) for number in range(count)]
    consumer = AIOKafkaConsumer(bootstrap_servers=own_cluster.bootstrap_servers)
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        assert (ends.keys(), sum(ends.values())) == ({*partitions}, 60)
        assert await known_ends(consumer, partitions, seconds=10) == ends
        gone = own_cluster.leader(topic, 0)
        led = {tp for tp in partitions if own_cluster.leader(topic, tp.partition) is gone}
        gone.kill()

        known = await known_ends(consumer, partitions, seconds=10)
    finally:
        # aiokafka's stop breaks off where a fetch has just failed.
        with suppress(asyncio.CancelledError):
            await consumer.stop()
        await consumer._client.close()

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
        with frozen([broker for broker in own_cluster.brokers if broker.running]):
            time.sleep(13)
        write_and_wait(urls[40:])
        assert collector.exit_code is None, collector.tail()
        assert collector.stop() == 0
    finally:
        collector.kill()
    stored = Counter(each.label.url for each in store.labels())
    assert stored == Counter(urls)
    assert "Traceback" not in collector.log.read_text()
