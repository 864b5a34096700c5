"""Records that are made to stop ``stream-trainer labels collect``, or to fill its memory."""

import gzip
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import cramjam
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from support.broker import KafkaBroker
from support.commands import environment_of, without_progress
from support.labels import label_record
from support.raw_batches import produce_raw, raw_batch, raw_record
from support.records import NotUtf8, Record, committed_offsets, end_offsets, read_all
from trainer.labels.store import LabelStore

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

MEMORY_BYTES_MAX = 500_000_000
SECONDS_MAX = 60
CUT_BYTES = 64 * 1024

GROWING = b":@\n" * 230_000
"""Longer when it is masked: five bytes for each three."""
LOGIN = b"x" * (CUT_BYTES - 30) + b"\nhttp://kim:" + b"secret" * 100_000 + b"@x/"
"""A password stands where it is cut."""
QUOTES = b'"' * 5_000_000
LARGE = b'"' * 100_000_000
HEADERS = [("h", b"")] * 3_000_000

MEASURED = """
import sys
from trainer.cli import main
sys.argv[0] = "stream-trainer"
try:
    main()
finally:
    # What getrusage(2) says holds the parent's, too.
    with open("/proc/self/status") as status:
        print("peak", *[line.split()[1] for line in status if line.startswith("VmHWM:")])
"""


class Collected(NamedTuple):
    """What became of the attack."""

    process: "subprocess.CompletedProcess[str]"
    seconds: float
    urls: list[str]
    letters: dict[int, Record]
    """By the offset of the record."""
    committed: bool
    again: str


@pytest.fixture(scope="module")
def collected(
    kafka: KafkaBroker, session_topics: Any, tmp_path_factory: pytest.TempPathFactory
) -> Collected:
    topic = session_topics("labels", partitions=1)
    dead_letters = session_topics("dlq", partitions=1)
    _attack(kafka.bootstrap_servers, topic)
    folder = tmp_path_factory.mktemp("attacked")
    began = time.monotonic()
    process = _collect(kafka, session_topics, topic, dead_letters, folder)
    seconds = time.monotonic() - began
    return Collected(
        process,
        seconds,
        [stored.label.url for stored in LabelStore(folder / "store").labels()],
        {
            int(dict(letter.headers)["source-offset"]): letter
            for letter in read_all(kafka.bootstrap_servers, dead_letters)
        },
        committed_offsets(kafka.bootstrap_servers, topic).items()
        >= end_offsets(kafka.bootstrap_servers, topic).items(),
        _collect(kafka, session_topics, topic, dead_letters, folder).stdout,
    )


def _collect(
    kafka: KafkaBroker, session_topics: Any, topic: str, dead_letters: str, folder: Path
) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(
        {
            "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "LABELS_TOPIC": topic,
            "FEED_LABELS_TOPIC": session_topics("label-feeds", partitions=1),
            "LABELS_DEAD_LETTERS_TOPIC": dead_letters,
            "LABELS_GROUP_ID": topic,
        }
    )
    return subprocess.run(
        [sys.executable, "-c", MEASURED, "labels", "collect", "--store", "store"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX * 3,
        check=False,
    )


def _attack(servers: str, topic: str) -> None:
    """Hostile records of each kind, one batch each, between two labels."""
    for value, codec, headers in (
        (label_record("http://before.example/x"), "none", []),
        (GROWING, "none", []),
        (QUOTES, "zstd", []),
        (LARGE, "zstd", []),
        (LARGE, "gzip", []),
        (LARGE, "lz4", []),
        (label_record("http://headers.example/x"), "zstd", HEADERS),
        (LOGIN, "none", []),
        (label_record("http://after.example/x"), "none", []),
    ):
        producer = Producer(
            {
                "bootstrap.servers": servers,
                "compression.type": codec,
                "message.max.bytes": 200_000_000,
                "queue.buffering.max.kbytes": 1_000_000,
                "log_level": 2,
            }
        )
        producer.produce(topic, value, partition=0, headers=headers)
        assert producer.flush(60) == 0
    named = KafkaProducer(bootstrap_servers=servers)
    label = label_record("http://named.example/x")
    named.send(topic, label, headers=[(NotUtf8("h"), b"")], partition=0)
    named.close()


def _damaged_batches() -> list[bytes]:
    """Batches that a broker takes, and that contradict themselves."""
    label = label_record("http://damaged.example/x")
    whole, short = raw_record(label), raw_record(label, length=9)
    block = bytes(cramjam.snappy.compress_raw(whole))
    snappy = b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + struct.pack(">i", len(block)) + block
    return [
        raw_batch(bytes(cramjam.zstd.compress(short)), 1, codec=4),
        raw_batch(gzip.compress(whole) + b"junk", 1, codec=1),
        raw_batch(snappy + b"\0\0", 1, codec=2),
        raw_batch(raw_record(label, offset_delta=1_000_000), 1),
        raw_batch(raw_record(label, offset_delta=-5), 1),
        # Of three records at one offset the first is read.
        raw_batch(raw_record(label_record("http://first.example/x")) + whole * 2, 3),
        raw_batch(raw_record(label_record("http://last.example/x")), 1),
    ]


def test_collecting_goes_on_behind_batches_that_contradict_themselves(
    kafka: KafkaBroker, session_topics: Any, tmp_path: Path
) -> None:
    topic, dead_letters = (
        session_topics(name, partitions=1) for name in ("damaged", "damaged-dlq")
    )
    offsets = produce_raw(kafka.bootstrap_servers, topic, _damaged_batches())
    process = _collect(kafka, session_topics, topic, dead_letters, tmp_path)
    assert (process.returncode, without_progress(process.stderr)) == (0, "")
    urls = [stored.label.url for stored in LabelStore(tmp_path / "store").labels()]
    # What stands behind compressed records harms none of them.
    damaged, first, last = (f"http://{name}.example/x" for name in ("damaged", "first", "last"))
    assert urls == [damaged, damaged, first, last]
    assert (
        committed_offsets(kafka.bootstrap_servers, topic).items()
        >= end_offsets(kafka.bootstrap_servers, topic).items()
    )
    letters = [dict(letter.headers) for letter in read_all(kafka.bootstrap_servers, dead_letters)]
    assert [int(headers["source-offset"]) for headers in letters] == [
        *(offsets[0], offsets[3], offsets[4]),
        *(offsets[5] + 1, offsets[5] + 2),
    ]
    assert all(b"damaged" in headers["detail"] for headers in letters)


def test_collecting_goes_on_behind_records_of_any_size(collected: Collected) -> None:
    process = collected.process
    assert (process.returncode, without_progress(process.stderr)) == (0, "")
    assert process.stdout.startswith(
        "10 records read: 3 labels stored, 0 were there, 7 dead letters"
    )
    assert collected.urls == [
        "http://before.example/x",
        "http://after.example/x",
        "http://named.example/x",
    ]
    assert collected.committed
    assert collected.again.startswith("0 records read")
    assert collected.seconds < SECONDS_MAX


def test_its_memory_is_bounded(collected: Collected) -> None:
    assert int(collected.process.stdout.split()[-1]) * 1024 < MEMORY_BYTES_MAX


def test_the_dead_letters_are_cut_say_how_long_the_records_were_and_where_they_lie(
    collected: Collected,
) -> None:
    letters = collected.letters
    assert sorted(letters) == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(letter.value or b"") <= CUT_BYTES for letter in letters.values())
    headers = {offset: dict(letter.headers) for offset, letter in letters.items()}
    assert {header["reason"] for header in headers.values()} == {b"too_large"}
    assert headers[1]["truncated-from-bytes"] == b"690000"
    assert letters[1].value == (b"***@\n" * 230_000)[:CUT_BYTES]
    assert (letters[7].value or b"").startswith(b"x" * (CUT_BYTES - 30) + b"\n")
    assert b"secret" not in (letters[7].value or b"")
    assert headers[2]["truncated-from-bytes"] == b"5000000"
    assert letters[2].value == QUOTES[:CUT_BYTES]
    for offset in (3, 4, 5, 6):
        assert b"decompresses to more than" in headers[offset]["detail"]
        assert letters[offset].value is None
    assert "h" not in headers[6]
