"""``stream-detector topics save`` and ``restore`` as a user runs them, on a real Kafka."""

import stat
import uuid

import pytest
from kafka import KafkaProducer

from stream_detector.models.signing import new_key
from support.commands import assert_one_line_error, run_command
from support.records import NotUtf8, produce, read_all

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

KEYS_AND_VALUES = [(b"url", b'{"a":1}'), (b"shadow/url", None), (b"host", b"\x00\xff\n\t,")]
SIGNATURE = [("sequence", b"7"), ("signature", bytes(range(64)))]
"""Bytes that Kafka's console tools would take for ends of lines and of headers."""


@pytest.fixture
def run(kafka, tmp_path):
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "TOPIC_PREFIX": f"{uuid.uuid4().hex[:8]}.",
        "TOPIC_PARTITIONS": "3",
        "MODEL_STORE": str(tmp_path / "store"),
    }

    def run(*arguments: object, code: int = 0, **changes: str):
        done = run_command(*map(str, arguments), settings=settings | changes)
        assert done.returncode == code, done.stderr
        return done

    run.prefix = settings["TOPIC_PREFIX"]
    return run


def lies(kafka, topic: str) -> list[tuple]:
    """Every part of every record, in order of partition and offset."""
    return sorted(
        (each.partition, each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
        for each in read_all(kafka.bootstrap_servers, topic)
    )


@pytest.mark.timeout(300)
def test_what_is_restored_is_byte_for_byte_what_was_saved(kafka, run, tmp_path):
    new_key(tmp_path / "kim.key")
    words = ("--analyst", "kim", "--signing-key", tmp_path / "kim.key")
    run("topics", "create")
    run("label", "http://evil.example/x", "http://b.example", "malicious", *words)
    run("label", "http://evil.example/y", "malicious", "--feed", "urlhaus")
    models = f"{run.prefix}url-models"
    for key, value in KEYS_AND_VALUES:
        produce(kafka.bootstrap_servers, models, [value], keys=[key], headers=SIGNATURE)
    before = {
        name: lies(kafka, run.prefix + name)
        for name in ("url-labels", "url-label-feeds", "url-models")
    }

    file = tmp_path / "topics.jsonl"
    told = run("topics", "save", file).stdout.decode()
    assert told.splitlines() == [
        f"{run.prefix}url-labels       2 records saved",
        f"{run.prefix}url-label-feeds  1 record saved",
        f"{run.prefix}url-models       3 records saved",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {
        "kim.key",
        "kim.key.pub",
        "topics.jsonl",
    }

    refused = run("topics", "restore", file, code=1)
    assert_one_line_error(refused, 1, "holds records: restore only into topics that")
    to = {"TOPIC_PREFIX": f"restored.{run.prefix}"}
    assert_one_line_error(run("topics", "restore", file, code=1, **to), 1, "is missing")
    run("topics", "create", **to)
    told = run("topics", "restore", file, **to).stdout.decode()
    assert told.count("restored, at the offsets that they had\n") == 2
    assert {name: lies(kafka, to["TOPIC_PREFIX"] + name) for name in before} == before
    again = run("topics", "save", tmp_path / "again.jsonl", **to)
    assert again.returncode == 0
    assert (tmp_path / "again.jsonl").read_bytes() == file.read_bytes()


def test_a_file_that_is_not_whole_or_does_not_fit_is_refused_before_anything_is_written(
    kafka, run, tmp_path
):
    run("topics", "create")
    labels = f"{run.prefix}url-labels"
    produce(kafka.bootstrap_servers, labels, [b"{}", b"[]"], partition=2)
    file = tmp_path / "topics.jsonl"
    run("topics", "save", file)
    to = {"TOPIC_PREFIX": f"new.{run.prefix}"}
    run("topics", "create", **to, TOPIC_PARTITIONS="2")

    fewer = run("topics", "restore", file, code=1, **to)
    assert_one_line_error(fewer, 1, "has 2 partitions and the backup 3: make it with")
    lines = file.read_bytes().splitlines(keepends=True)
    for content, fault in (
        (lines[:-1], "is not whole (2 records)"),
        (lines[1:], "is not whole (1 record)"),
        ([*lines, lines[0]], "goes on behind its last line"),
        ([lines[0][:20]], "is no backup of `topics save`"),
        ([b"http://evil.example\n"], "is no backup of `topics save`"),
    ):
        damaged = tmp_path / "damaged.jsonl"
        damaged.write_bytes(b"".join(content))
        assert_one_line_error(run("topics", "restore", damaged, code=1, **to), 1, fault)
    assert lies(kafka, f"new.{labels}") == []
    nowhere = run("topics", "save", tmp_path / "nosuch" / "file", code=1)
    assert_one_line_error(nowhere, 1, "can't be written: No such file or directory")


def test_records_that_were_behind_expired_ones_are_said_to_have_moved(kafka, run, tmp_path):
    run("topics", "create")
    labels = f"{run.prefix}url-labels"
    produce(kafka.bootstrap_servers, labels, [b"{}", b"[]"], partition=0)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    odd = [(NotUtf8("x"), b"y")]
    producer.send(labels, b"odd", partition=1, headers=odd).get(timeout=30)
    producer.close()
    file = tmp_path / "topics.jsonl"
    run("topics", "save", file)
    # As it would be where retention had deleted the first record.
    first, *rest = file.read_bytes().splitlines(keepends=True)
    assert b'"offset":0' in first
    file.write_bytes(b"".join(rest).replace(b'{"records":3}', b'{"records":2}'))

    to = {"TOPIC_PREFIX": f"new.{run.prefix}"}
    run("topics", "create", **to)
    told = run("topics", "restore", file, **to).stdout.decode()
    assert "2 records restored, at other offsets: collect them into a new label store" in told
