"""``stream-detector label`` as a process: what it writes to a real Kafka, and what it refuses."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from kafka import KafkaAdminClient, TopicPartition

from stream_detector.kafka.topics import cluster_id
from stream_detector.settings.fields import DATA_FOLDER, Settings
from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command
from support.records import Record, produce, read_all

SCHEMA = Draft202012Validator(json.loads((DATA_FOLDER / "schemas" / "url-label.json").read_text()))


class Desk:
    """A topic of labels, a topic of log lines, and the command that writes to the one."""

    def __init__(self, kafka: KafkaBroker, topics: Any) -> None:
        self.kafka = kafka
        self.labels: str = topics("labels")
        self.feeds: str = topics("label-feeds")
        self.events: str = topics("events", partitions=1)

    def label(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        settings = {
            "BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "LABELS_TOPIC": self.labels,
            "FEED_LABELS_TOPIC": self.feeds,
            "LABEL_FEEDS": "urlhaus",
            "INPUT_TOPICS": self.events,
        }
        return run_command("label", *arguments, settings=settings, stdin=stdin)

    def written(self) -> list[Record]:
        """Labels of analysts and of feeds."""
        return [
            record
            for topic in (self.labels, self.feeds)
            for record in read_all(self.kafka.bootstrap_servers, topic)
        ]

    def verdict_id(self, offset: int, index: int) -> str:
        cluster = cluster_id(Settings(bootstrap_servers=[self.kafka.bootstrap_servers]))
        return f"{cluster}:{self.events}:0:{offset}:{index}"


@pytest.fixture
def desk(kafka: KafkaBroker, topics: Any) -> Desk:
    return Desk(kafka, topics)


@pytest.mark.kafka
def test_labels_are_written_by_their_schema_and_shown_with_their_places(desk: Desk) -> None:
    done = desk.label("http://www.Evil.com/x", "evil.com", "malicious", "--analyst", "kim")

    assert (done.returncode, done.stderr) == (0, b"")
    records = {record.key: record for record in desk.written()}
    assert set(records) == {b"evil.com/x", b"evil.com"}
    for record in records.values():
        value = json.loads(record.value or b"")
        SCHEMA.validate(value)
        assert (value["label"], value["analyst"], value["source"]) == (
            "malicious",
            "kim",
            "analysts",
        )
    assert done.stdout.decode().splitlines() == [
        f"malicious  {key.decode()}  in {desk.labels}:{record.partition}:{record.offset}"
        for key in (b"evil.com/x", b"evil.com")
        for record in (records[key],)
    ]


@pytest.mark.kafka
def test_a_table_says_itself_what_the_options_do_not(desk: Desk, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "host,label,source,labeled_at,analyst,feed,confidence\n"
        "a.example,malicious,,2026-11-01T10:00:00+01:00,,,0.25\n"
        "b.example,benign,desk,,kim,,\n"
    )

    done = desk.label("--file", str(table), "--feed", "urlhaus")

    assert (done.returncode, done.stderr) == (0, b"")
    assert {record.key: record.topic for record in desk.written()} == {
        b"a.example": desk.feeds,
        b"b.example": desk.labels,
    }
    places = [f"{record.topic}:{record.partition}:{record.offset}" for record in desk.written()]
    assert [line.rpartition("  in ")[2] for line in done.stdout.decode().splitlines()] == [
        places[1],
        places[0],
    ]
    by_key = {record.key: json.loads(record.value or b"") for record in desk.written()}
    assert by_key[b"a.example"] == {
        "url": "a.example",
        "label": "malicious",
        "source": "urlhaus",
        "labeled_at": "2026-11-01T09:00:00Z",
        "feed": "urlhaus",
        "confidence": 0.25,
    }
    b = by_key[b"b.example"]
    assert (b["label"], b["source"], b["analyst"]) == ("benign", "desk", "kim")
    assert "feed" not in b


@pytest.mark.kafka
def test_a_long_list_is_written_whole_and_summed_up(desk: Desk, tmp_path: Path) -> None:
    plain = tmp_path / "urls.txt"
    plain.write_text("# bad ones\n" + "".join(f"http://evil{n}.example/\n\n" for n in range(500)))

    done = desk.label("malicious", "--file", str(plain), "--feed", "urlhaus")

    assert done.stdout.decode() == f"500 labels in {desk.feeds}: 500 malicious, 0 benign\n"
    assert {record.key for record in desk.written()} == {
        b"evil%d.example" % number for number in range(500)
    }


EXPORTED = (
    "url,label,source,time,analyst,feed,confidence,disagreeing\n"
    "evil.example/x,1,soc,2026-11-24T14:00:00Z,kim,,,0\n"
    "fine.example,0,urlhaus,2026-11-24T15:00:00Z,,urlhaus,0.5,1\n"
)
"""As ``stream-trainer labels export`` writes."""


@pytest.mark.kafka
def test_standard_input_is_read_as_a_list_or_as_the_table_that_an_export_is(desk: Desk) -> None:
    done = desk.label("--file", "-", stdin=EXPORTED.encode())

    assert (done.returncode, done.stderr) == (0, b"")
    by_key = {record.key: json.loads(record.value or b"") for record in desk.written()}
    assert by_key == {
        b"evil.example/x": {
            "url": "evil.example/x",
            "label": "malicious",
            "source": "soc",
            "labeled_at": "2026-11-24T14:00:00Z",
            "analyst": "kim",
        },
        b"fine.example": {
            "url": "fine.example",
            "label": "benign",
            "source": "urlhaus",
            "labeled_at": "2026-11-24T15:00:00Z",
            "feed": "urlhaus",
            "confidence": 0.5,
        },
    }

    plain = b"# bad ones\nhttp://third.example/\n\nfourth.example\n"
    done = desk.label("malicious", "--file", "-", "--analyst", "kim", stdin=plain)
    assert done.returncode == 0
    assert {record.key for record in desk.written()} - set(by_key) == {
        b"third.example",
        b"fourth.example",
    }
    no_one = desk.label("malicious", "--file", "-", stdin=b"fifth.example\n")
    assert_one_line_error(no_one, 2, "standard input, line 1: say who labels", "nothing was")


@pytest.mark.kafka
def test_one_bad_line_and_nothing_is_written(desk: Desk, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("url,label\nhttp://a.example/,malicious\nhttp://b.example/,phishing\n")

    done = desk.label("--file", str(table), "--analyst", "kim")

    assert_one_line_error(done, 1, "labels.csv, line 3", "'phishing'", "nothing was written")
    assert desk.written() == []


@pytest.mark.kafka
def test_verdict_ids_stand_for_what_was_judged(desk: Desk) -> None:
    lines = [
        b"http://first.example/a",
        b'{"url": "bare.example"}\n{"host": "Name.example"}\n{"url": "http://x.example/p"}',
    ]
    produce(desk.kafka.bootstrap_servers, desk.events, lines, partition=0)
    ids = [desk.verdict_id(0, 0), *(desk.verdict_id(1, index) for index in range(3))]
    options = [word for each in ids for word in ("--verdict-id", each)]

    done = desk.label("benign", *options, "--analyst", "kim")

    assert (done.returncode, done.stderr) == (0, b"")
    assert {json.loads(record.value or b"")["url"] for record in desk.written()} == {
        "http://first.example/a",
        "http://bare.example",
        "Name.example",
        "http://x.example/p",
    }


@pytest.mark.kafka
def test_a_verdict_id_that_leads_nowhere_is_reported_with_what_to_do(desk: Desk) -> None:
    produce(
        desk.kafka.bootstrap_servers, desk.events, [b"a.example", b"b.example", b"#"], partition=0
    )
    admin = KafkaAdminClient(bootstrap_servers=desk.kafka.bootstrap_servers)
    try:
        admin.delete_records({TopicPartition(desk.events, 0): 1})
    finally:
        admin.close()

    def refused(verdict_id: str) -> subprocess.CompletedProcess[bytes]:
        return desk.label("benign", "--verdict-id", verdict_id, "--analyst", "kim")

    expired = refused(desk.verdict_id(0, 0))
    assert_one_line_error(expired, 1, "record 0", "has expired", "give the URL itself")
    assert_one_line_error(refused(desk.verdict_id(3, 0)), 1, "has not been written yet")
    assert_one_line_error(refused(desk.verdict_id(1, 1)), 1, "at index 1", "input_formats")
    elsewhere = refused(f"elsewhere:{desk.events}:0:1:0")
    assert_one_line_error(elsewhere, 1, "of cluster 'elsewhere'")
    assert desk.written() == []


@pytest.mark.kafka
def test_a_feed_that_no_setting_names_writes_nothing(desk: Desk) -> None:
    done = desk.label("a.example", "malicious", "--feed", "urlhouse")

    assert_one_line_error(done, 1, "feed 'urlhouse' is not among label_feeds", "nothing was")
    assert desk.written() == []


@pytest.mark.kafka
def test_a_missing_topic_is_named(desk: Desk) -> None:
    desk.labels = "nowhere"

    done = desk.label("evil.com", "malicious", "--analyst", "kim")

    assert_one_line_error(done, 1, "topic nowhere is missing", "topics create")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("evil.com", "--analyst", "kim"), 2, "malicious, benign or retracted as the last word"),
        (("malicious", "--analyst", "kim"), 2, "nothing to label"),
        (("evil.com", "malicious"), 2, "--analyst or --feed"),
        (("http://", "malicious", "--analyst", "kim"), 1, "'http://'"),
        (("a.com", "benign", "--analyst", "k", "--confidence", "2"), 2, "confidence"),
        (("benign", "--verdict-id", "17", "--analyst", "k"), 1, "'17' is no verdict id"),
    ],
)
def test_wrong_usage_is_one_line_without_asking_kafka(
    arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run_command("label", *arguments, settings={"BOOTSTRAP_SERVERS": "127.0.0.1:9"})

    assert_one_line_error(done, code, said)
