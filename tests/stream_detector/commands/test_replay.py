"""``replay`` as a process, into a real Kafka and none."""

import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from stream_detector.demo.samples import sample_lines
from stream_detector.settings.fields import DATA_FOLDER
from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command
from support.processes import start_module, wait_for_line
from support.records import end_offsets, produce, read_all


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
def test_a_kafka_that_goes_away_is_reported_once_and_waited_for(
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


def test_a_kafka_that_can_not_be_reached_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"

    done = run_command("replay", "--bootstrap-servers", closed)

    assert_one_line_error(done, 1, closed, "refused", "bootstrap_servers")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--from", "url-events"], ["--from, line 1: 'url-events' is no range", "FIRST-LAST"]),
        (["--from", "other:0:1-2"], ["topic other is not among input_topics (url-events)"]),
        (["--from", "url-events:0:1-2", "--rate", "5"], ["--rate is for sample logs"]),
        (["--from-file", "-"], ["--from-file holds no offsets"]),
    ],
)
def test_offsets_that_can_not_be_meant_are_refused_at_once(
    arguments: list[str], parts: list[str]
) -> None:
    assert_one_line_error(run_command("replay", *arguments, stdin=b"# none\n"), 2, *parts)


@pytest.mark.kafka
@pytest.mark.slow
def test_records_that_are_not_there_any_more_or_not_yet_are_named_and_the_others_scored(
    kafka: KafkaBroker, topics: Any
) -> None:
    names = {f"{name}_TOPIC": topics(name.lower()) for name in ("VERDICTS", "ALERTS")}
    names["DEAD_LETTERS_TOPIC"] = topics("dlq")
    topic = topics("in")
    urls = [f"http://host-{number}.example/".encode() for number in range(8)]
    produce(kafka.bootstrap_servers, topic, [*urls[:7], b"\x00"], partition=2)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        admin.delete_records({TopicPartition(topic, 2): 3})
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "INPUT_TOPICS": topic,
        "CLUSTER": "here",
        **names,
    }
    lines = f"{topic}:2:5-9\n{topic}:9:1\n# the same again\n{topic}:2:6-6\n"

    done = run_command(
        *("replay", "--from", f"{topic}:2:1-4", "--from-file", "-"),
        stdin=lines.encode(),
        settings=settings,
    )

    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        f"{topic}:2:1-2: expired, the oldest record there is 3",
        f"{topic}:2:8-9: not written yet, the next record there is 8",
        f"{topic}:9:1-1: there is no partition 9",
        "5 records of 2 partitions scored again: 4 verdicts, 0 alerts, 1 dead letter",
    ]
    assert done.stderr.decode() == (
        "stream-detector: 5 offsets could not be scored, see above: check the offsets; records "
        "that have expired are lost\n"
    )
    verdicts = read_all(kafka.bootstrap_servers, names["VERDICTS_TOPIC"])
    ids = {json.loads(record.value or b"")["id"] for record in verdicts}
    assert ids == {f"here:{topic}:2:{offset}:0" for offset in range(3, 7)}
