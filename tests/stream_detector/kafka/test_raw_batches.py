"""Batches at which clients stop for good, in the topics that commands read."""

import gzip
import json
import struct
from datetime import UTC, datetime

import cramjam
import msgspec
import pytest

from stream_detector.errors import MissingRecordError
from stream_detector.events import ModelRef
from stream_detector.kafka.bounded_reading import record_lookup
from stream_detector.settings.fields import Settings
from support.commands import run_command, run_trainer
from support.drifting import verdict_record
from support.labels import label_record
from support.raw_batches import produce_raw, raw_batch, raw_record
from support.records import end_offsets, produce

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def _xerial(records):
    block = bytes(cramjam.snappy.compress_raw(records))
    return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(block)) + block


def _zstd(records):
    return bytes(cramjam.zstd.compress(records))


HOSTILE_BATCHES = [
    # A header name that is not UTF-8.
    lambda value: raw_batch(raw_record(value, headers=[(b"\xff\xfe", b"v")]), 1),
    # Bytes behind what is compressed.
    lambda value: raw_batch(gzip.compress(raw_record(value)) + b"junk", 1, codec=1),
    lambda value: raw_batch(_xerial(raw_record(value)) + b"\0\0", 1, codec=2),
    # A record that is longer than it says.
    lambda value: raw_batch(_zstd(raw_record(value, length=9)), 1, codec=4),
    # An offset far away, and one offset three times.
    lambda value: raw_batch(raw_record(value, offset_delta=1_000_000), 1),
    lambda value: raw_batch(raw_record(value) * 3, 3),
    # 100 MB.
    lambda _: raw_batch(_zstd(raw_record(b'"' * 100_000_000)), 1, codec=4),
]
READ = [0, 1, 2, 5, 9]
"""Offsets of records that can be read: of the first three, of the first of three that claim the
same one, and of the ordinary record behind."""
UNREAD = [3, 4, 6, 7, 8]


@pytest.fixture
def attacked(kafka, topics):
    """Makes a topic with a hostile batch of each kind, and an ordinary record behind."""

    def attack(value_of):
        topic = topics("attacked", partitions=1)
        batches = [make(value_of(number)) for number, make in enumerate(HOSTILE_BATCHES)]
        produce_raw(kafka.bootstrap_servers, topic, batches)
        produce(kafka.bootstrap_servers, topic, [value_of(len(HOSTILE_BATCHES))])
        return topic

    return attack


def test_dead_letters_are_listed_and_shown(kafka, attacked):
    topic = attacked(lambda number: b"letter %d" % number)
    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "DEAD_LETTERS_TOPIC": topic}
    listed = run_command("dead-letters", "list", "--json", settings=settings)
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert sum(json.loads(line)["letters"] for line in listed.stdout.splitlines()) == 10
    shown = run_command("dead-letters", "show", "--limit", "10", "--json", settings=settings)
    assert (shown.returncode, shown.stderr) == (0, b"")
    values = [json.loads(line)["value"] for line in shown.stdout.splitlines()]
    assert sorted(filter(None, values)) == [f"letter {number}" for number in (0, 1, 2, 5, 7)]


def test_a_replay_names_the_letter_whose_record_can_not_be_read(kafka, attacked, topics):
    topic, letters = attacked(lambda number: b"line %d" % number), topics("dlq", partitions=1)
    for offset in (0, 3):
        headers = [
            ("reason", b"malformed"),
            ("source-topic", topic.encode()),
            ("source-partition", b"0"),
            ("source-offset", b"%d" % offset),
            ("source-index", b"0"),
            ("withheld", b"contents"),
        ]
        produce(kafka.bootstrap_servers, letters, [None], headers=headers)
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "INPUT_TOPICS": topic,
        "DEAD_LETTERS_TOPIC": letters,
    }
    done = run_command("dead-letters", "replay", "--since", "1h", settings=settings)
    assert done.returncode == 1
    told = (done.stdout + done.stderr).decode()
    assert f"record 3 in partition 0 of {topic} can't be read" in told
    # The other one is written, behind the ten that were there, and nothing else.
    assert list(end_offsets(kafka.bootstrap_servers, topic).values()) == [11]
    with record_lookup(Settings(bootstrap_servers=[kafka.bootstrap_servers])) as lookup:
        assert lookup.record(topic, 0, 10).value == b"line 0"


def test_labels_are_collected(kafka, attacked, topics, tmp_path):
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LABELS_TOPIC": attacked(lambda number: label_record(f"http://{number}.example/x")),
        "FEED_LABELS_TOPIC": topics("feeds", partitions=1),
        "LABELS_DEAD_LETTERS_TOPIC": topics("dlq", partitions=1),
        "LABELS_GROUP_ID": topics("group", partitions=1),
    }

    def collect():
        return run_trainer("labels", "collect", "--store", tmp_path / "store", settings=settings)

    done = collect()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("10 records read: 5 labels stored, 0 were there, 5 dead letters")
    assert collect().stdout.startswith("0 records read")


def test_drift_is_measured(kafka, attacked):
    model = ModelRef("url-model", "3", "a" * 64)

    def verdict(number):
        _, value = verdict_record(f"{number}.example/", "example", hours_ago=0, model=model)
        now = datetime.now(UTC).isoformat()
        return msgspec.json.encode(msgspec.json.decode(value) | {"detected_at": now})

    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VERDICTS_TOPIC": attacked(verdict)}
    done = run_trainer("drift", "--json", settings=settings)
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = json.loads(done.stdout)["models"]
    assert found["recent"]["verdicts"] == len(READ)


def test_the_report_of_a_shadow_passes_over_all_of_them(kafka, attacked):
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SHADOW_TOPIC": attacked(lambda _: b"no comparison"),
    }
    done = run_trainer("shadow", "report", "--since", "1d", settings=settings)
    assert "10 records are no comparisons and are left out" in done.stderr


def test_a_record_is_looked_up_unless_it_can_not_be_read(kafka, attacked):
    topic = attacked(lambda number: b"line %d" % number)
    with record_lookup(Settings(bootstrap_servers=[kafka.bootstrap_servers])) as lookup:
        found = [lookup.record(topic, 0, offset).value for offset in READ]
        for offset in UNREAD:
            with pytest.raises(MissingRecordError, match=f"record {offset} .* can't be read"):
                lookup.record(topic, 0, offset)
    assert found == [b"line %d" % number for number in (0, 1, 2, 5, 7)]
