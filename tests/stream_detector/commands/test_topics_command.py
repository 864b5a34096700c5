"""``topics create`` and ``topics check`` as processes, against a real Kafka and none."""

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command

LABELS = ["url-labels", "url-label-feeds", "url-labels-dlq"]
NAMES = ["url-events", "url-verdicts", "url-alerts", "url-events-dlq", *LABELS]


@pytest.fixture
def prefix() -> str:
    """Before topic names of a test's own."""
    return f"{uuid.uuid4().hex[:8]}."


@pytest.fixture
def settings(kafka: KafkaBroker, prefix: str) -> dict[str, str]:
    return {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": prefix}


@pytest.fixture
def closed_address() -> str:
    """Where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def mute_address() -> Iterator[str]:
    """Where connections are accepted and nothing is answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def topics_of(kafka: KafkaBroker, prefix: str) -> set[str]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        return {name for name in client.list_topics() if name.startswith(prefix)}
    finally:
        client.close()


@pytest.mark.kafka
def test_topics_are_created_listed_and_then_pass_the_check(
    kafka: KafkaBroker, settings: dict[str, str], prefix: str
) -> None:
    first = run_command("topics", "create", "--topic-partitions", "3", settings=settings)
    again = run_command("topics", "create", "--topic-partitions", "5", settings=settings)
    check = run_command("topics", "check", settings=settings)

    names = [prefix + name for name in NAMES]
    for done, what in ((first, "created"), (again, "existed")):
        assert done.returncode == 0
        (warning,) = done.stderr.decode().splitlines()
        assert warning.startswith("warning: 7 topics of 7 with fewer than 3 replicas: ")
        lines = done.stdout.decode().splitlines()
        assert [line.split()[0] for line in lines] == names
        for line in lines:
            assert line.endswith("3 partitions, 1 replica")
            assert what in line
    assert (check.returncode, check.stderr) == (0, b"")
    assert check.stdout.decode() == f"ok: {', '.join(names)}\n"
    assert topics_of(kafka, prefix) == set(names)


@pytest.mark.kafka
def test_the_check_names_all_missing_topics_in_a_line_and_makes_none(
    kafka: KafkaBroker, settings: dict[str, str], prefix: str, tmp_path: Path
) -> None:
    config = tmp_path / "detector.toml"
    config.write_text('verdicts_topic = "out"\n')

    done = run_command("topics", "check", "--config", str(config), settings=settings)

    missing = [prefix + name for name in ("url-events", "out", "url-alerts", "url-events-dlq")]
    assert_one_line_error(done, 1, "not all topics can be used", stdout=done.stdout)
    make = "`stream-detector topics create` makes them"
    labels = ", ".join(prefix + name for name in LABELS)
    assert done.stdout.decode().splitlines() == [
        f"topics {', '.join(missing)} are missing: {make}",
        f"for labels only: topics {labels} are missing: {make}",
    ]
    assert topics_of(kafka, prefix) == set()


@pytest.mark.kafka
def test_topics_of_labels_are_not_needed_to_run(
    kafka: KafkaBroker, topics: Any, settings: dict[str, str]
) -> None:
    names = {
        "INPUT_TOPICS": topics("in"),
        "VERDICTS_TOPIC": topics("verdicts"),
        "ALERTS_TOPIC": topics("alerts"),
        "DEAD_LETTERS_TOPIC": topics("dlq"),
    }

    missing = {
        "LABELS_TOPIC": "no",
        "FEED_LABELS_TOPIC": "no-feeds",
        "LABELS_DEAD_LETTERS_TOPIC": "no-dlq",
    }
    done = run_command(
        "topics", "check", settings={**settings, **names, "TOPIC_PREFIX": "", **missing}
    )

    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    problem, *_, ok = done.stdout.decode().splitlines()
    assert problem.startswith("for labels only: topics no, no-feeds, no-dlq are missing")
    assert ok == f"ok: {', '.join(names.values())}"


@pytest.mark.kafka
def test_what_kafka_refuses_is_reported_in_one_line(settings: dict[str, str], prefix: str) -> None:
    done = run_command("topics", "create", "--topic-replication-factor", "9", settings=settings)

    assert_one_line_error(done, 1, f"{prefix}url-events ", "9", "topic_replication_factor")


@pytest.mark.parametrize("action", ["create", "check"])
def test_a_kafka_that_can_not_be_reached_is_reported_in_one_line(
    action: str, closed_address: str
) -> None:
    done = run_command("topics", action, "--bootstrap-servers", closed_address)

    assert_one_line_error(done, 1, closed_address, "refused", "bootstrap_servers")


@pytest.mark.parametrize("action", ["create", "check"])
def test_a_mute_kafka_is_reported_in_one_line(action: str, mute_address: str) -> None:
    done = run_command(
        *("topics", action, "--bootstrap-servers", mute_address),
        *("--kafka-options", "bootstrap_timeout_ms=300"),
    )

    assert_one_line_error(done, 1, mute_address, "does not answer", "security_protocol")


def test_a_name_that_is_not_known_is_reported_in_one_line() -> None:
    done = run_command("topics", "check", "--bootstrap-servers", "kafka.invalid:9092")

    assert_one_line_error(done, 1, "kafka.invalid:9092", "bootstrap_servers")


@pytest.mark.parametrize("content", ["", None], ids=["empty", "missing"])
def test_a_password_file_that_can_not_be_used_is_reported_in_one_line(
    content: str | None, closed_address: str, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    if content is not None:
        password.write_text(content)

    done = run_command(
        *("topics", "check", "--bootstrap-servers", closed_address),
        *("--security-protocol", "SASL_PLAINTEXT", "--sasl-username", "alice"),
        *("--sasl-password-file", str(password)),
    )

    assert_one_line_error(done, 2, str(password), "sasl_password_file")
