"""``doctor`` says of each thing a worker needs whether it is there, and leaves all as it was."""

import shutil
import signal
import socket
import subprocess
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from kafka import KafkaAdminClient

from stream_detector.settings.fields import DATA_FOLDER, Settings
from support.broker import KafkaBroker
from support.certificates import CertificateAuthority
from support.commands import assert_one_line_error, run_command
from support.processes import start_module, wait_for_line
from support.records import end_offsets, produce
from support.secured_broker import PASSWORD, SecuredBroker, connection_variables

pytestmark = pytest.mark.slow

LOCAL = ["HTTP port", "lists", "URL model", "host model", "device"]
KAFKA = ["Kafka", "topics", "replicas", "timestamps", "group", "clock"]


def found(done: subprocess.CompletedProcess[bytes]) -> dict[str, tuple[str, str]]:
    """Mark and text of each line, by what it is about."""
    assert done.stderr == b""
    results: dict[str, tuple[str, str]] = {}
    for line in done.stdout.decode().splitlines():
        mark, rest = line.split(maxsplit=1)
        subject, text = rest.split("  ", maxsplit=1)
        results[subject] = mark, text.strip()
    return results


def failures(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    """What is told of each check that failed; all others passed, and the exit code fits."""
    results = found(done)
    assert {mark for mark, _ in results.values()} <= {"ok", "warn", "FAIL"}
    failed = {subject: text for subject, (mark, text) in results.items() if mark == "FAIL"}
    assert done.returncode == (1 if failed else 0)
    return failed


def settings_for(kafka: KafkaBroker, **changes: str) -> dict[str, str]:
    """Settings with topics and a group of their own."""
    name = uuid.uuid4().hex[:8]
    return {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "TOPIC_PREFIX": f"{name}.",
        "TOPIC_PARTITIONS": "2",
        "GROUP_ID": name,
        "HTTP_PORT": "0",
        **changes,
    }


@pytest.mark.kafka
def test_where_all_is_well_each_line_says_so_and_nothing_changes(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text("example.com\n")
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users: {}\n")
    settings = settings_for(kafka, ALLOW_LIST=str(allowed), HTTP_WEB_CONFIG=str(web))
    topics = [settings["TOPIC_PREFIX"] + name for name in ("url-events", "url-verdicts")]
    assert run_command("topics", "create", settings=settings).returncode == 0
    produce(kafka.bootstrap_servers, topics[0], [b"http://a.example/"], partition=0)

    done = run_command("doctor", settings=settings)

    assert failures(done) == {}
    results = found(done)
    assert list(results) == KAFKA + LOCAL
    assert "any free port of 127.0.0.1" in results["HTTP port"][1]
    assert "in the clear, nobody logs in" in results["HTTP port"][1]
    assert str(allowed) in results["lists"][1]
    assert str(Settings().url_bundle) in results["URL model"][1]
    assert "/CPU:0" in results["device"][1] or "/GPU:0" in results["device"][1]
    assert kafka.bootstrap_servers in results["Kafka"][1]
    assert ", ".join(topics) in results["topics"][1]
    assert results["replicas"][0] == "warn"
    assert results["replicas"][1].startswith("1 replica of ")
    assert results["replicas"][1].endswith(
        "records are lost with a broker's disk; give Kafka 3 brokers, and give these topics 3 "
        "replicas by kafka-reassign-partitions.sh"
    )
    assert results["timestamps"][0] == "ok"
    assert results["group"][1] == f"{settings['GROUP_ID']} may be joined, and has 0 detectors now"
    assert "s old" in results["clock"][1]
    assert sum(end_offsets(kafka.bootstrap_servers, topics[0]).values()) == 1
    assert sum(end_offsets(kafka.bootstrap_servers, topics[1]).values()) == 0
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        assert settings["GROUP_ID"] not in str(client.list_groups())
    finally:
        client.close()


def test_a_kafka_that_hangs_is_reported_first_and_soon(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        doctor = start_module(
            *("stream_detector", "doctor"),
            log=tmp_path / "doctor.log",
            environment={"STREAM_DETECTOR_BOOTSTRAP_SERVERS": address},
        )
        try:
            line = wait_for_line(doctor, "Kafka  ")
            # Five on an idle machine.
            assert time.monotonic() - began < 10
        finally:
            doctor.kill()
    assert line.startswith("FAIL  Kafka")
    assert f"{address}: it accepts connections but does not answer" in line
    assert "HTTP port" not in doctor.log.read_text().partition(line)[0]


@pytest.mark.kafka
def test_missing_topics_a_wrong_clock_and_a_foreign_member_are_told_apart(
    kafka: KafkaBroker, topics
) -> None:
    events = topics("events")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(events, b"a.example", timestamp=int((time.time() + 600) * 1000))
    assert producer.flush(30) == 0

    settings = settings_for(kafka, TOPIC_PREFIX="", INPUT_TOPICS=events)
    foreign = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": settings["GROUP_ID"],
            "client.id": "batch-job",
        }
    )
    foreign.subscribe([events])
    deadline = time.monotonic() + 30
    while not foreign.assignment() and time.monotonic() < deadline:
        foreign.poll(0.2)

    done = run_command("doctor", settings=settings)

    foreign.close()
    failed = failures(done)
    assert list(failed) == ["topics", "group", "clock"]
    assert failed["group"] == (
        f"group {settings['GROUP_ID']} has 1 member that is no detector (batch-job at 127.0.0.1): "
        "nothing scores what they read; stop them, or give them a group of their own"
    )
    assert found(done)["timestamps"] == (
        "warn",
        f"{events}: the shippers' clocks decide what is late; kafka-configs.sh --bootstrap-server "
        f"{kafka.bootstrap_servers} --alter --entity-type topics --entity-name NAME --add-config "
        "message.timestamp.type=LogAppendTime",
    )
    assert failed["topics"] == (
        "topics url-verdicts, url-alerts, url-events-dlq are missing: `stream-detector topics "
        "create` makes them"
    )
    assert "in the future" in failed["clock"]
    assert "NTP" in failed["clock"]


def test_each_fault_of_this_machine_has_its_line(tmp_path: Path) -> None:
    denied = tmp_path / "denied"
    denied.write_text("example.com\nnot a host\n")
    damaged = tmp_path / "host"
    shutil.copytree(DATA_FOLDER / "models" / "host", damaged)
    weights = damaged / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        port = str(taken.getsockname()[1])
        nowhere = f"127.0.0.1:{closed.getsockname()[1]}"
        closed.close()
        done = run_command(
            *("doctor", "--http-port", port, "--deny-list", str(denied)),
            *("--url-bundle", str(tmp_path / "none"), "--host-bundle", str(damaged)),
            *("--bootstrap-servers", nowhere),
        )

    failed = failures(done)
    # Without models there is nothing to run on a device, nor topics to see without Kafka.
    assert list(failed) == ["Kafka", "HTTP port", "lists", "URL model", "host model"]
    assert found(done).keys() == failed.keys()
    assert f"127.0.0.1:{port}" in failed["HTTP port"]
    assert "http_port" in failed["HTTP port"]
    assert f"{denied}, line 2" in failed["lists"]
    assert "url_bundle" in failed["URL model"]
    assert str(tmp_path / "none") in failed["URL model"]
    assert "sha256" in failed["host model"]
    assert "host_bundle" in failed["host model"]
    assert nowhere in failed["Kafka"]
    assert "bootstrap_servers" in failed["Kafka"]


@pytest.mark.parametrize(
    ("days_left", "mark", "told"),
    [(-1, "FAIL", "has expired ("), (5, "ok", "expires within 14 days ("), (60, "ok", "")],
)
def test_a_certificate_that_has_expired_or_soon_will_is_named(
    tmp_path: Path, days_left: int, mark: str, told: str
) -> None:
    authority = CertificateAuthority(tmp_path, days_left=70)
    authority.issue("server", days_left=days_left)
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"127.0.0.1:{closed.getsockname()[1]}"
    settings = {
        "BOOTSTRAP_SERVERS": nowhere,
        "SECURITY_PROTOCOL": "SSL",
        "SSL_CAFILE": str(authority.file),
        "HTTP_PORT": "0",
        "HTTP_WEB_CONFIG": str(web),
        **{f"{kind}_BUNDLE": str(tmp_path / "none") for kind in ("URL", "HOST")},
    }

    found_mark, text = found(run_command("doctor", settings=settings))["certificates"]

    assert found_mark == mark
    if told:
        assert text.startswith(f"http_web_config {web}: cert_file {tmp_path / 'server.crt'} {told}")
        assert text.endswith(" UTC): renew it")
    else:
        day = datetime.now(UTC) + timedelta(days=days_left)
        assert text.startswith(f"2, the first expires {day:%Y-%m-%d} ")


@pytest.mark.kafka
def test_a_login_that_is_refused_and_rights_that_are_missing_are_named(
    secured_kafka: SecuredBroker, tmp_path: Path
) -> None:
    secured_kafka.add_user("alice")
    secured_kafka.grant("alice", [])
    settings = settings_for(secured_kafka)
    assert run_command("topics", "create", settings=settings).returncode == 0
    settings |= connection_variables(secured_kafka.scram_settings("alice"))
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong-horse")

    refused = run_command("doctor", settings={**settings, "SASL_PASSWORD_FILE": str(wrong)})
    let_in = run_command("doctor", settings=settings)

    assert list(failures(refused)) == ["Kafka"]
    assert "'alice'" in failures(refused)["Kafka"]
    assert "sasl_username" in failures(refused)["Kafka"]
    assert b"wrong-horse" not in refused.stdout
    assert {"topics", "group"} <= failures(let_in).keys() <= {"topics", "group", "clock"}
    lines = [line for line in let_in.stdout.decode().splitlines() if "  topics  " in line]
    prefix = settings["TOPIC_PREFIX"]
    assert [line.partition("topics        ")[2] for line in lines] == [
        f"topic {prefix}url-events may not be described: give alice the rights DESCRIBE and READ",
        f"topics {prefix}url-verdicts, {prefix}url-alerts, {prefix}url-events-dlq may not be "
        "described: give alice the rights DESCRIBE and WRITE",
    ]
    assert "give alice the right READ" in failures(let_in)["group"]
    assert PASSWORD.encode() not in let_in.stdout


def test_wrong_settings_end_it_before_any_check() -> None:
    assert_one_line_error(run_command("doctor", "--bootstrap-servers", "kafka"), 2, "host:port")


def test_ctrl_c_does_not_wait_for_kafka(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        process = start_module(
            *("stream_detector", "doctor", "--http-port", "0", "--bootstrap-servers"),
            f"127.0.0.1:{mute.getsockname()[1]}",
            *("--kafka-options", "bootstrap_timeout_ms=600000"),
            log=tmp_path / "log",
        )
        try:
            wait_for_line(process, "checking Kafka, ")
            process.send(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()

    assert "Traceback" not in (tmp_path / "log").read_text()
    assert "Exception" not in (tmp_path / "log").read_text()
