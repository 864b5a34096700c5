"""A consumer that is no detector in the workers' group: it is named, and so is what it took."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from stream_detector.errors import FatalError
from stream_detector.kafka.preflight import group_members
from stream_detector.settings.fields import Settings
from support.accounting import CLUSTER
from support.bench import Bench
from support.processes import wait_for_line, wait_until
from support.records import produce, read_all

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

TOLD_SECONDS = 45


@pytest.fixture
def bench(kafka, topics, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path)
    yield bench
    bench.close()


def foreign_consumer(bench):
    consumer = Consumer(
        {
            "bootstrap.servers": bench.bootstrap_servers,
            "group.id": bench.group,
            "client.id": "batch-job",
            "partition.assignment.strategy": "roundrobin",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([bench.input])
    return consumer


def readyz(bench):
    """Status and text; in a rebalance a worker is not ready for a moment."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.ports[-1]}/readyz") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def shown(bench, name):
    """A metric's value, of the input topic where it has topics; None if it is not there."""
    found = re.search(rf"^stream_detector_{name}(?:{{[^}}]*}})? (\S+)$", bench.metrics(), re.M)
    return float(found[1]) if found else None


def run_as_printed(command, bench):
    """Run a line of the log in a shell, with the worker's settings."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, **bench.environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def verdict_ids(bench):
    verdicts = read_all(bench.bootstrap_servers, bench.verdicts)
    return {json.loads(record.value)["id"] for record in verdicts}


def urls(name, count):
    return [f"http://{name}{number}.example/".encode() for number in range(count)]


def test_a_foreign_member_and_its_commits_are_reported(bench, kafka):
    produce(kafka.bootstrap_servers, bench.input, urls("before", 400))
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    wait_until(
        lambda: shown(bench, "owned_partitions") == 4, timeout=TOLD_SECONDS, what="all are owned"
    )
    assert readyz(bench) == (200, "ready\n")
    assert shown(bench, "topic_partitions") == 4
    assert shown(bench, "foreign_members") == 0

    foreign = foreign_consumer(bench)
    taken = []

    def poll():
        if (message := foreign.poll(0.2)) is not None and message.error() is None:
            taken.append((message.partition(), message.offset()))

    def is_named():
        poll()
        return "batch-job" in readyz(bench)[1]

    wait_until(is_named, timeout=TOLD_SECONDS, what="/readyz names the foreign member")
    status, text = readyz(bench)
    assert status == 200
    assert re.match(r"ready, but .* 1 member .* \(batch-job at 127.0.0.1 with 2 partitions\)", text)
    assert wait_for_line(worker, "1 member that is no detector")
    assert shown(bench, "foreign_members") == 1
    assert shown(bench, "owned_partitions") == 2

    produce(kafka.bootstrap_servers, bench.input, urls("taken", 400))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(taken) < 200:
        poll()
    assert taken
    foreign.commit(asynchronous=False)
    foreign.close()

    ranges = {
        f"{bench.input}:{partition}:{min(offsets)}-{max(offsets)}"
        for partition in {p for p, _ in taken}
        for offsets in [[o for p, o in taken if p == partition]]
    }
    for each in ranges:
        line = json.loads(wait_for_line(worker, f"stream-detector replay --from {each}"))
        assert " passed over and not scored; with the workers' settings" in line["message"]
    wait_until(
        lambda: shown(bench, "passed_over_records_total") == len(taken),
        timeout=TOLD_SECONDS,
        what="what it took is counted",
    )
    assert shown(bench, "foreign_commits_total") == len({p for p, _ in taken})
    wait_until(
        lambda: readyz(bench) == (200, "ready\n"), timeout=TOLD_SECONDS, what="all is well again"
    )
    assert wait_for_line(worker, "detectors own all partitions of the input topics again")
    passed_over = {f"{CLUSTER}:{bench.input}:{p}:{o}:0" for p, o in taken}
    assert not passed_over & verdict_ids(bench)

    # As printed, while the worker runs.
    log = worker.log.read_text()
    commands = set(re.findall(r"stream-detector replay --from [^ \"]+", log))
    assert {command.split()[-1] for command in commands} == ranges
    for command in commands:
        done = run_as_printed(command, bench)
        assert done.returncode == 0, done.stderr
        count = int(command.rpartition("-")[2]) - int(re.findall(r":(\d+)-", command)[0]) + 1
        counts = rf"{count} records of 1 partition scored again: {count} verdicts, \d+ alerts?, "
        assert re.fullmatch(counts + "0 dead letters\n", done.stdout)
    assert passed_over <= verdict_ids(bench)
    assert worker.stop() == 0

    # The worker has made the offsets its own: another start tells nothing.
    again = bench.start_worker()
    assert again.stop() == 0
    assert "committed by no detector" not in again.log.read_text()


def test_a_foreign_member_of_kafka_s_new_protocol_is_named_too(bench, kafka):
    produce(kafka.bootstrap_servers, bench.input, urls("before", 400))
    worker = bench.start_worker()
    bench.wait_until_committed(worker)

    foreign = Consumer(
        {
            "bootstrap.servers": bench.bootstrap_servers,
            "group.id": bench.group,
            "group.protocol": "consumer",
            "client.id": "batch-job",
            "enable.auto.commit": False,
        }
    )
    foreign.subscribe([bench.input])

    def is_named_with_its_partitions():
        foreign.poll(0.2)
        return "batch-job at 127.0.0.1 with 2 partitions" in readyz(bench)[1]

    wait_until(
        is_named_with_its_partitions, timeout=TOLD_SECONDS, what="/readyz names the foreign member"
    )
    assert readyz(bench)[0] == 200
    assert wait_for_line(worker, "1 member that is no detector")
    assert shown(bench, "foreign_members") == 1
    assert shown(bench, "owned_partitions") == 2

    settings = Settings(bootstrap_servers=[kafka.bootstrap_servers])
    with pytest.raises(FatalError, match="members of Kafka's new consumer protocol"):
        group_members(settings, bench.group)

    foreign.close()
    wait_until(
        lambda: readyz(bench) == (200, "ready\n"), timeout=TOLD_SECONDS, what="all is well again"
    )
    assert group_members(settings, bench.group) == 1
    assert shown(bench, "foreign_members") == 0
    assert shown(bench, "owned_partitions") == 4
    assert worker.stop() == 0
