"""Input topics that are deleted, created again or given partitions while a worker reads them."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import NewPartitions, NewTopic

from support.bench import PARTITIONS, Bench
from support.processes import wait_for_line, wait_until
from support.records import committed_offsets, produce, read_all

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(400)]

AGAIN_SECONDS = 40
"""README: read within 20 s; the rest is for a machine that has more to do."""


@pytest.fixture
def bench(kafka, topics, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def admin(kafka):
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    yield client
    client.close()


def urls(name, count):
    return [f"http://{name}{number}.example/".encode() for number in range(count)]


def seen(bench):
    """Every URL that has a verdict. (Ids say nothing: a new topic has the old one's offsets.)"""
    verdicts = read_all(bench.bootstrap_servers, bench.verdicts)
    return {json.loads(record.value)["observed"].encode() for record in verdicts}


def wait_for(bench, worker, wanted, timeout=AGAIN_SECONDS):
    wait_until(lambda: seen(bench) >= set(wanted), timeout=timeout, what="all verdicts")
    assert worker.exit_code is None


def ready(bench):
    """Status and text of /readyz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.ports[-1]}/readyz") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_missing(bench):
    """The gauge of missing topics, by topic."""
    shown = re.findall(
        r'^stream_detector_input_topic_missing{topic="(.*)"} (.*)$', bench.metrics(), re.M
    )
    return {topic: float(value) for topic, value in shown}


def log_lines(worker):
    return [json.loads(line) for line in worker.log.read_text().splitlines()]


def test_a_topic_that_is_deleted_is_named_and_read_again_when_it_is_back(bench, admin, kafka):
    produce(kafka.bootstrap_servers, bench.input, urls("old", 20_000))
    worker = bench.start_worker()
    bench.wait_for_verdicts(2_000, worker)

    admin.delete_topics([bench.input])  # At work: commits are under way.
    missing = f"topic {bench.input} is missing: `stream-detector topics create` makes it"
    wait_until(lambda: ready(bench) == (503, f"{missing}\n"), timeout=30, what="/readyz says it")
    shown = re.escape(f'stream_detector_input_topic_missing{{topic="{bench.input}"}}')
    assert re.search(rf"^{shown} 1\.0$", bench.metrics(), re.M)
    kafka.create_topic(bench.input, partitions=PARTITIONS)
    produce(kafka.bootstrap_servers, bench.input, urls("new", 2_000))
    began = time.monotonic()

    wait_for(bench, worker, urls("new", 2_000))
    print(f"read {time.monotonic() - began:.1f} s after the topic was created again")
    wait_until(lambda: ready(bench)[0] == 200, timeout=30, what="ready again")
    assert re.search(rf"^{shown} 0\.0$", bench.metrics(), re.M)
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    lines = [(line["level"], line["message"]) for line in log_lines(worker)]
    assert ("error", f"{missing}; reading goes on when it is there") in lines
    again = f"topic {bench.input} is there again, with {PARTITIONS} partitions: reading goes on "
    (warning,) = (message for level, message in lines if message.startswith(again))
    assert warning.startswith(f"{again}from its beginning; the verdict ids of the deleted topic")
    assert "--cluster NAME" in warning
    assert not [line for line in lines if "not found in cluster metadata" in line[1]]


def test_one_of_three_topics_that_is_missing_stops_none_of_the_others(bench, admin, kafka, topics):
    stays, missing = topics("events", partitions=PARTITIONS), f"{bench.input}-later"
    bench.environment["STREAM_DETECTOR_INPUT_TOPICS"] = f"{bench.input},{stays},{missing}"
    produce(kafka.bootstrap_servers, stays, urls("first", 200))

    worker = bench.start_worker()

    wait_for(bench, worker, urls("first", 200))
    later = f"topic {missing} is missing: `stream-detector topics create` makes it"
    partly = "the other input topics are read, and this one when it is there"
    wait_until(lambda: ready(bench) == (200, f"ready, but {later}\n"), timeout=30, what="200, but")
    assert is_missing(bench) == {bench.input: 0, stays: 0, missing: 1}
    assert wait_for_line(worker, f"{later}; {partly}")

    kafka.create_topic(missing, partitions=2)
    began = time.monotonic()
    produce(kafka.bootstrap_servers, missing, urls("later", 200))
    wait_for(bench, worker, urls("later", 200))
    print(f"read {time.monotonic() - began:.1f} s after the topic was made")
    wait_until(lambda: ready(bench) == (200, "ready\n"), timeout=30, what="all is there")

    # At work: commits of all topics are under way.
    produce(kafka.bootstrap_servers, bench.input, urls("old", 4_000))
    bench.wait_for_verdicts(600, worker)
    admin.delete_topics([bench.input])
    began = time.monotonic()
    produce(kafka.bootstrap_servers, stays, urls("second", 200))
    wait_for(bench, worker, urls("second", 200))
    print(f"read {time.monotonic() - began:.1f} s after another topic was deleted")
    gone = f"topic {bench.input} is missing: `stream-detector topics create` makes it"
    wait_until(lambda: ready(bench) == (200, f"ready, but {gone}\n"), timeout=30, what="200, but")
    assert is_missing(bench) == {bench.input: 1, stays: 0, missing: 0}
    verdicts = bench.written(bench.verdicts)
    assert worker.stop() == 0
    found = [line["message"] for line in log_lines(worker)]
    assert found.count(f"{gone}; {partly}") == 1

    # What was committed of the others is not read again.
    again = bench.start_worker()
    produce(kafka.bootstrap_servers, stays, urls("third", 200))
    wait_for(bench, again, urls("third", 200))
    assert bench.written(bench.verdicts) == verdicts + 200
    assert again.stop() == 0


def test_a_topic_that_is_replaced_behind_the_workers_back_loses_none_of_its_records(
    bench, admin, kafka
):
    # A session that outlasts the sleep: otherwise the group is joined again, and all is looked at.
    bench.environment["STREAM_DETECTOR_KAFKA_OPTIONS"] = "heartbeat_interval_ms=300"
    produce(kafka.bootstrap_servers, bench.input, urls("old", 400))
    worker = bench.start_worker()
    bench.wait_until_committed(worker)

    # Asleep, as a machine may be, it never sees that the topic is missing.
    os.kill(worker.pid, signal.SIGSTOP)
    admin.delete_topics([bench.input])
    admin.create_topics([NewTopic(bench.input, PARTITIONS, 1)])
    produce(kafka.bootstrap_servers, bench.input, urls("new", 4_000))
    os.kill(worker.pid, signal.SIGCONT)

    wait_for(bench, worker, urls("new", 4_000))
    wait_for_line(worker, f"topic {bench.input} was deleted and created again, with 4 partitions")
    bench.wait_until_committed(worker)
    assert worker.stop() == 0


def test_offsets_committed_on_a_topic_that_was_replaced_do_not_count(bench, admin, kafka):
    produce(kafka.bootstrap_servers, bench.input, urls("old", 400))
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    committed = admin.list_group_offsets(bench.group)[bench.group]
    assert sum(each.offset for each in committed.values()) == 400
    admin.delete_topics([bench.input])
    wait_until(
        lambda: not committed_offsets(kafka.bootstrap_servers, bench.group),
        timeout=30,
        what="Kafka forgets the offsets",
    )
    kafka.create_topic(bench.input, partitions=PARTITIONS)
    produce(kafka.bootstrap_servers, bench.input, urls("new", 4_000))
    # As a worker leaves it whose commit was under way while the topic was replaced.
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers, group_id=bench.group)
    consumer.assign(list(committed))
    consumer.commit(committed)
    consumer.close()
    assert sum(committed_offsets(kafka.bootstrap_servers, bench.group).values()) == 400

    worker = bench.start_worker()

    wait_for(bench, worker, urls("new", 4_000))
    assert worker.stop() == 0


def test_a_new_partition_is_read_soon_and_from_its_beginning(kafka, topics, admin, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path, STREAM_DETECTOR_START_AT="latest")
    try:
        produce(kafka.bootstrap_servers, bench.input, urls("before", 100))
        worker = bench.start_worker()
        produce(kafka.bootstrap_servers, bench.input, urls("first", 100))
        wait_for(bench, worker, urls("first", 100))

        admin.create_partitions({bench.input: NewPartitions(total_count=PARTITIONS + 2)})
        began = time.monotonic()
        produce(kafka.bootstrap_servers, bench.input, urls("second", 100), partition=PARTITIONS + 1)

        wait_for(bench, worker, urls("second", 100))
        print(f"read {time.monotonic() - began:.1f} s after the partitions were made")
        line = f"topic {bench.input} has 6 partitions now and had 4: the group shares them out"
        assert wait_for_line(worker, line)
        assert seen(bench) == {*urls("first", 100), *urls("second", 100)}
        assert worker.stop() == 0
    finally:
        bench.close()
