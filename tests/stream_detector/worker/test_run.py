"""``stream-detector run`` with the shipped models on a real Kafka: a line in, a verdict out."""

import json
import signal
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.bench import Bench
from support.processes import ROOT, free_port, start_module, wait_for_http, wait_for_line
from support.records import end_offsets, produce, read_all

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

RECORDS = [
    b'{"url": "http://paypal-secure-login.account-verify.xyz/signin.php", "client": "10.0.0.7"}',
    b'{"url": "https://en.wikipedia.org/wiki/Malware", "client": "10.0.0.8"}',
    b"www.bbc.co.uk",
    b"\xff\xfe",
]


def samples(url):
    """Values by metric and labels."""
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    return {
        (
            sample.name.removeprefix("stream_detector_"),
            *sorted(sample.labels.values()),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_worker_as_shipped_gives_verdicts_alerts_dead_letters_and_metrics(
    kafka, topics, tmp_path
):
    events, verdicts, alerts, dlq = (topics(name, partitions=1) for name in "evad")
    port = free_port()
    produce(kafka.bootstrap_servers, events, RECORDS)
    worker = start_module(
        "stream_detector",
        "run",
        *("--bootstrap-servers", kafka.bootstrap_servers, "--group-id", events),
        *("--input-topics", events, "--verdicts-topic", verdicts, "--alerts-topic", alerts),
        *("--dead-letters-topic", dlq, "--http-port", str(port)),
        log=tmp_path / "worker.log",
    )
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for_http(worker, f"{base}/readyz", timeout=120)
        worker.wait_until(
            lambda: sum(end_offsets(kafka.bootstrap_servers, verdicts).values()) == 3,
            timeout=60,
            what="three verdicts",
        )
        worker.wait_until(
            lambda: samples(f"{base}/metrics").get(("committed_offset", "0", events)) == 4,
            timeout=60,
            what="the commit in the metrics",
        )
        shown = samples(f"{base}/metrics")
        assert worker.stop() == 0
    finally:
        worker.kill()

    by_canonical = {
        verdict["canonical"]: verdict
        for verdict in map(
            json.loads, (r.value for r in read_all(kafka.bootstrap_servers, verdicts))
        )
    }
    assert {name: verdict["verdict"] for name, verdict in by_canonical.items()} == {
        "paypal-secure-login.account-verify.xyz/signin.php": "malicious",
        "en.wikipedia.org/wiki/Malware": "benign",
        "bbc.co.uk": "benign",
    }
    (alert,) = read_all(kafka.bootstrap_servers, alerts)
    assert alert.key == b"10.0.0.7|account-verify.xyz"
    (dead,) = read_all(kafka.bootstrap_servers, dlq)
    assert dead.value == b"\xff\xfe"

    assert shown["ready",] == 1
    assert shown["records_total", events] == 4
    assert shown["dead_letters_total", events, "not_utf8"] == 1
    assert shown["lag_records", "0", events] == 0
    assert shown["lag_seconds", "0", events] == 0
    assert shown["end_offset", "0", events] == 4
    assert shown["assigned_partitions",] == 1
    assert shown["cache_lookups_total", "miss"] == 3
    assert shown["record_age_seconds_count", events] == 4
    assert shown["batch_records_sum",] == 4
    assert shown["batch_fill_ratio_count",] >= 1
    assert shown["device_info", "/CPU:0"] == 1
    for stage in ("parse", "decide", "score", "publish"):
        assert shown["stage_seconds_count", stage] >= 1
    for kind, count in (("url", 2), ("host", 1)):
        assert shown["score_count", kind] == count
        assert shown["model_loaded_timestamp_seconds", kind] > 1.7e9
        assert shown["model_created_timestamp_seconds", kind] > 1.7e9
    models = [labels for name, *labels in shown if name == "model_info"]
    assert {label for labels in models for label in labels} >= {
        "url-wide_bilstm",
        "host-wide_bilstm",
    }


def test_a_wrong_setting_ends_it_with_one_line_and_exit_code_2(tmp_path):
    worker = start_module(
        "stream_detector", "run", "--batch-records", "0", log=tmp_path / "worker.log"
    )
    assert worker.wait(60) == 2
    output = (tmp_path / "worker.log").read_text()
    assert "batch" in output
    assert "Traceback" not in output


def test_contradicting_settings_are_refused_without_waiting_for_kafka(tmp_path):
    worker = start_module(
        "stream_detector",
        "run",
        *("--input-formats", "elsewhere=json"),
        *("--bootstrap-servers", f"127.0.0.1:{free_port()}", "--http-port", str(free_port())),
        log=tmp_path / "worker.log",
    )
    assert worker.wait(120) == 2
    output = (tmp_path / "worker.log").read_text()
    assert "not among input_topics" in output
    assert "Traceback" not in output


def not_ready(port):
    """What /readyz says of a worker that is not ready."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
    return caught.value.read()


def test_a_stop_while_the_model_loads_ends_it_at_once_and_quietly(tmp_path):
    port = free_port()
    worker = start_module(
        *("stream_detector", "run", "--http-port", str(port)),
        *("--bootstrap-servers", f"127.0.0.1:{free_port()}"),
        log=tmp_path / "worker.log",
    )
    wait_for_http(worker, f"http://127.0.0.1:{port}/healthz")
    worker.wait_until(
        lambda: b"Kafka can't be reached" in not_ready(port), timeout=60, what="/readyz says why"
    )
    time.sleep(2)  # Several tries are told in one line.
    worker.send(signal.SIGTERM)
    assert worker.wait(30) == 0
    lines = (tmp_path / "worker.log").read_text().splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    assert messages[-1] == "stopped before it was ready"
    assert sum("Kafka can't be reached" in message for message in messages) == 1
    assert all(line.startswith("{") for line in lines)


def test_readyz_answers_while_the_worker_makes_its_monitors(kafka, topics, tmp_path):
    bench = Bench(
        kafka.bootstrap_servers,
        topics,
        tmp_path,
        PYTHONPATH=f"{ROOT / 'tests' / 'support' / 'stops'}:{ROOT}:{ROOT / 'tests'}",
        TRAINER_STOPS_AT="support.rule_worker stream_detector.worker.app LagMonitor wait",
    )
    try:
        worker = bench.start_worker(ready=False)
        wait_for_line(worker, "stopped at LagMonitor")
        assert not_ready(bench.ports[-1]) == b"starting\n"
        assert "failed" not in worker.log.read_text()
    finally:
        bench.close()
