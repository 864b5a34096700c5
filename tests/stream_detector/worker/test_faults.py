"""Nothing is lost: one test for each way in which a worker or a broker can fail.

A real worker process on a real Kafka; only the model is a rule (``support.rule_worker``).
Each test asserts on the set of ids that must come out, not on a count.
"""

import json
import os
import random
import re
import signal

import pytest

from support.accounting import Sent, mixed_records, poison_records
from support.bench import Bench
from support.processes import wait_for_line, wait_until
from support.records import committed_offsets

RECORDS = 20_000
PACE = {
    "STREAM_DETECTOR_BATCH_RECORDS": "200",
    "STREAM_DETECTOR_KAFKA_OPTIONS": "session_timeout_ms=1500,heartbeat_interval_ms=300,"
    "max_poll_records=100",
    "RULE_SECONDS": "0.05",
}
"""A hundred batches that wait more than they compute: workers come and go while they are read."""

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def bench(kafka, topics, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path, **PACE)
    yield bench
    bench.close()


@pytest.fixture
def own_bench(own_kafka, own_topics, tmp_path):
    """On a broker that the test may stop."""
    bench = Bench(own_kafka.bootstrap_servers, own_topics, tmp_path, **PACE)
    yield bench
    bench.close()


@pytest.mark.timeout(400)
def test_every_record_is_accounted_for_and_sigterm_leaves_nothing_to_replay(bench):
    bench.account.send(mixed_records(RECORDS))
    worker = bench.start_worker()
    bench.wait_for_verdicts(RECORDS // 4, worker)
    assert worker.stop() == 0
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    outputs = bench.prove()
    assert all(len(copies) == 1 for copies in outputs.verdicts.values())


@pytest.mark.timeout(400)
def test_nothing_is_lost_over_five_kills_at_random_moments(bench):
    bench.account.send(mixed_records(RECORDS))
    seed = random.randrange(2**32)
    print(f"seed of the moments: {seed}")
    rng = random.Random(seed)
    events = len(bench.account.verdict_ids)
    worker = bench.start_worker()
    for _ in range(5):
        # A new verdict first: each worker is killed at work, not on its way there.
        bench.wait_for_verdicts(
            bench.written(bench.verdicts) + rng.randrange(1, events // 8), worker
        )
        worker.kill()
        worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    bench.prove()


@pytest.mark.timeout(400)
def test_nothing_is_lost_when_a_second_worker_joins_and_leaves_under_load(bench):
    bench.account.send(mixed_records(RECORDS))
    events = len(bench.account.verdict_ids)
    first = bench.start_worker()
    bench.wait_for_verdicts(events // 10, first)
    second = bench.start_worker()
    bench.wait_for_verdicts(events * 3 // 10, first)
    assert second.stop() == 0
    bench.wait_for_verdicts(events * 4 // 10, first)
    third = bench.start_worker()
    bench.wait_for_verdicts(events * 6 // 10, first)
    third.kill()
    bench.wait_until_committed(first)
    assert first.stop() == 0
    bench.prove()


@pytest.mark.timeout(400)
def test_nothing_is_lost_when_the_broker_stops_and_starts_under_load(own_kafka, own_bench):
    own_bench.account.send(mixed_records(RECORDS))
    events = len(own_bench.account.verdict_ids)
    worker = own_bench.start_worker()
    own_bench.wait_for_verdicts(events // 5, worker)
    own_kafka.stop()
    wait_until(
        lambda: "trying again" in worker.log.read_text() or "try again" in worker.log.read_text(),
        timeout=60,
        what="the worker notices that the broker is away",
    )
    own_kafka.start()
    own_bench.wait_for_verdicts(events // 2, worker)
    own_kafka.kill()
    own_kafka.start()
    own_bench.wait_until_committed(worker)
    assert worker.exit_code is None
    assert worker.stop() == 0
    own_bench.prove()
    assert_one_voice(worker)


def assert_one_voice(worker):
    """The worker says what is wrong with Kafka, and no line of a library says it as well."""
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    assert any("Kafka can't be reached" in line["message"] for line in lines)
    own = [line["logger"].startswith("stream_detector") for line in lines]
    others = [line for line, is_own in zip(lines, own, strict=True) if not is_own]
    # As the worker starts, a new cluster has no coordinator yet.
    assert all("Coordinator" in line["message"] for line in others), others
    assert not [line for line in lines if "exception" in line]
    assert len(others) <= 1


@pytest.mark.timeout(400)
@pytest.mark.parametrize("in_flight", [False, True])
def test_a_stop_while_kafka_is_away_is_orderly_and_loses_nothing(own_kafka, own_bench, in_flight):
    own_bench.account.send(mixed_records(RECORDS if in_flight else 500))
    worker = own_bench.start_worker()
    if in_flight:
        own_bench.wait_for_verdicts(len(own_bench.account.verdict_ids) // 10, worker)
    else:
        own_bench.wait_until_committed(worker)
    own_kafka.kill()
    wait_for_line(worker, "Kafka can't be reached")
    lines = _lines_of_a_stop(worker)
    told = [line["level"] for line in lines if "stopping while Kafka" in line["message"]]
    assert told == ["warning"]
    own_kafka.start()
    worker = own_bench.start_worker()
    own_bench.wait_until_committed(worker)
    assert worker.stop() == 0
    own_bench.prove()


@pytest.mark.timeout(400)
def test_a_stop_does_not_wait_for_a_kafka_that_answers_nothing(own_kafka, own_bench):
    own_bench.environment["STREAM_DETECTOR_SHUTDOWN_TIMEOUT"] = "3"
    own_bench.account.send(mixed_records(RECORDS))
    worker = own_bench.start_worker()
    own_bench.wait_for_verdicts(len(own_bench.account.verdict_ids) // 10, worker)
    os.kill(own_kafka.pid, signal.SIGSTOP)
    lines = _lines_of_a_stop(worker)
    assert any("did not close" in line["message"] for line in lines)
    os.kill(own_kafka.pid, signal.SIGCONT)
    worker = own_bench.start_worker()
    own_bench.wait_until_committed(worker)
    assert worker.stop() == 0
    own_bench.prove()


def _lines_of_a_stop(worker):
    """All lines of a worker that SIGTERM ends: JSON, no trace, no end by force."""
    worker.send(signal.SIGTERM)
    wait_until(lambda: worker.exit_code is not None, timeout=90, what="SIGTERM ends the worker")
    assert worker.exit_code == 0
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    assert not [line for line in lines if "exception" in line or line["level"] == "critical"]
    return lines


@pytest.mark.timeout(400)
def test_no_lag_is_shown_while_a_broker_takes_connections_and_does_not_answer(own_kafka, own_bench):
    shown = re.compile(r"^stream_detector_(lag_records|lag_seconds|end_offset)\{", re.M)
    own_bench.account.send(mixed_records(1_000))
    worker = own_bench.start_worker()
    own_bench.wait_until_committed(worker)
    wait_until(lambda: shown.search(own_bench.metrics()), timeout=60, what="figures of lag")
    os.kill(own_kafka.pid, signal.SIGSTOP)
    wait_until(lambda: not shown.search(own_bench.metrics()), timeout=60, what="none of them")
    # What LagUnknown asks for.
    assert re.search(r"^stream_detector_assigned_partitions [1-9]", own_bench.metrics(), re.M)
    os.kill(own_kafka.pid, signal.SIGCONT)
    wait_until(lambda: shown.search(own_bench.metrics()), timeout=60, what="figures of lag again")
    assert worker.stop() == 0
    own_bench.prove()


@pytest.mark.timeout(400)
def test_poison_among_the_good_becomes_dead_letters_and_nothing_else_suffers(bench):
    rng = random.Random(7)
    poison = list(poison_records(1_000))
    good = list(mixed_records(RECORDS - len(poison)))
    records = poison + good
    rng.shuffle(records)
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    share = -(-len(records) // len(codecs))
    for number, codec in enumerate(codecs):
        bench.account.send(records[number * share : (number + 1) * share], codec=codec)
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    outputs = bench.prove()
    assert len(outputs.dead_letters) == len(poison)
    assert set(outputs.reasons.values()) >= {
        "empty",
        "not_utf8",
        "malformed",
        "wrong_type",
        "no_url",
        "invalid_url",
    }


@pytest.mark.timeout(400)
def test_a_model_that_raises_on_one_text_costs_only_that_record(kafka, topics, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path, RULE_RAISES_ON="culprit.example/x")
    try:
        bench.account.send(mixed_records(5_000))
        (position,) = bench.account.send([Sent(b"http://culprit.example/x", 0)])
        bench.account.send(mixed_records(5_000, seed=2))
        worker = bench.start_worker()
        bench.wait_until_committed(worker)
        assert worker.stop() == 0
        outputs = bench.prove()
        assert outputs.reasons[position] == "model_error"
        assert outputs.dead_letters[position] == [b"http://culprit.example/x"]
    finally:
        bench.close()


@pytest.mark.timeout(400)
def test_a_model_that_raises_on_everything_stops_the_worker_uncommitted(kafka, topics, tmp_path):
    bench = Bench(kafka.bootstrap_servers, topics, tmp_path, RULE_RAISES_ALWAYS="1")
    try:
        bench.account.send(mixed_records(2_000))
        worker = bench.start_worker(ready=False)
        wait_until(
            lambda: worker.exit_code is not None, timeout=120, what="the worker ends by itself"
        )
        assert worker.exit_code == 1
        assert "Traceback" not in worker.log.read_text()
        assert not any(committed_offsets(bench.bootstrap_servers, bench.group).values())
        assert bench.written(bench.verdicts) == bench.written(bench.dead_letters) == 0
        # With a model that works, the same group picks up every record.
        del bench.environment["RULE_RAISES_ALWAYS"]
        healthy = bench.start_worker()
        bench.wait_until_committed(healthy)
        assert healthy.stop() == 0
        bench.prove()
    finally:
        bench.close()


@pytest.mark.timeout(400)
def test_records_produced_while_the_worker_idles_come_out_as_well(bench):
    worker = bench.start_worker()
    for number in range(5):
        bench.account.send(mixed_records(10, seed=number))
        bench.wait_until_committed(worker)
    worker.send(signal.SIGINT)
    wait_until(lambda: worker.exit_code is not None, timeout=60, what="SIGINT ends the worker")
    assert worker.exit_code == 0
    bench.prove()
