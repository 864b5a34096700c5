"""``replay`` as a process, into a real Kafka and none."""

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream_detector.demo.samples import sample_lines
from stream_detector.settings import DATA_FOLDER
from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command
from support.processes import start_module, wait_for_line
from support.records import end_offsets, read_all


@pytest.mark.kafka
def test_sample_lines_come_to_the_first_input_topic_in_rounds(
    kafka: KafkaBroker, topics: Any
) -> None:
    lines = sample_lines(DATA_FOLDER / "samples")
    topic = topics("in")
    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "INPUT_TOPICS": f"{topic},other"}
    count = len(lines) + 10

    done = run_command("replay", "--records", str(count), "--rate", "2000", settings=settings)

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"{count:,} records in {topic}\n"
    assert done.stderr == b""
    written = Counter(record.value for record in read_all(kafka.bootstrap_servers, topic))
    second_round = [line.replace(b"10.20.", b"10.21.") for line in lines[:10]]
    assert written == Counter(lines + second_round)


@pytest.mark.kafka
def test_a_topic_that_is_missing_is_not_made(kafka: KafkaBroker) -> None:
    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "INPUT_TOPICS": "nowhere"}

    done = run_command("replay", settings=settings)

    assert_one_line_error(done, 1, "topic nowhere is missing", "stream-detector topics create")


@pytest.mark.kafka
@pytest.mark.slow
def test_a_kafka_that_goes_away_is_told_once_and_waited_for(
    own_kafka: KafkaBroker, own_topics: Any, tmp_path: Path
) -> None:
    topic = own_topics("in")
    process = start_module(
        *("stream_detector", "replay", "--records", "1000", "--rate", "100"),
        log=tmp_path / "replay.log",
        environment={
            "STREAM_DETECTOR_BOOTSTRAP_SERVERS": own_kafka.bootstrap_servers,
            "STREAM_DETECTOR_INPUT_TOPICS": topic,
        },
    )
    wait_for_line(process, "writing records, 100 of 1,000")
    own_kafka.kill()
    told = f"Kafka can't be reached ({own_kafka.bootstrap_servers}: Connection refused)"
    wait_for_line(process, told)
    own_kafka.start()

    assert process.wait(120) == 0
    output = process.log.read_text()
    (line,) = (line for line in output.splitlines() if told in line)
    assert line.endswith("; trying again")
    assert f"1,000 records in {topic}" in output
    assert sum(end_offsets(own_kafka.bootstrap_servers, topic).values()) >= 1_000


def test_a_kafka_that_can_not_be_reached_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"

    done = run_command("replay", "--bootstrap-servers", closed)

    assert_one_line_error(done, 1, closed, "refused", "bootstrap_servers")
