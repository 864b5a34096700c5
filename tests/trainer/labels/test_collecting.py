"""``stream-trainer labels collect`` on a real Kafka: nothing is lost or doubled, whatever is killed
when."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream_detector.kafka.rights import rights_of
from support.broker import KafkaBroker
from support.commands import environment_of, without_progress
from support.labels import NOON, label_record
from support.processes import ChildProcess, wait_for_line
from support.records import committed_offsets, end_offsets, produce, read_all
from support.secured_broker import SecuredBroker, connection_variables
from trainer.labels.resolution import resolve
from trainer.labels.store import LabelStore

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PARTITIONS = 2

KILLED = """
import os, signal, sys, unittest.mock
with unittest.mock.patch({what!r}, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)):
    from trainer.cli import main
    sys.argv[0] = "stream-trainer"
    main()
"""
"""The command, killed when it comes to call ``what``."""


class Collection:
    """A topic of labels, its dead letters, a group, and a store that is filled from them."""

    def __init__(self, kafka: KafkaBroker, topics: Any, folder: Path) -> None:
        self.kafka = kafka.bootstrap_servers
        self.topic: str = topics("labels", partitions=PARTITIONS)
        self.feeds_topic: str = topics("label-feeds", partitions=1)
        self.dead_letters: str = topics("labels-dlq", partitions=1)
        self.folder = folder
        self.store = LabelStore(folder / "store")
        self._number = 0
        self.variables = {"BOOTSTRAP_SERVERS": self.kafka}
        """How the command reaches Kafka."""

    def produce(
        self, values: list[bytes | None], *, codec: str = "none"
    ) -> set[tuple[str, int, int]]:
        """Write records; returns their places."""
        written = produce(self.kafka, self.topic, values, codec=codec)
        return {(self.topic, partition, offset) for partition, offset in written}

    def labels(self, count: int) -> set[tuple[str, int, int]]:
        """Write ``count`` labels of texts that had none."""
        start, self._number = self._number, self._number + count
        urls = (f"http://evil{number}.example/x" for number in range(start, self._number))
        return self.produce([label_record(url) for url in urls])

    def stored(self) -> Counter[tuple[str, int, int]]:
        """How many rows there are of each place."""
        return Counter(stored.place for stored in self.store.labels())

    def command(self, *options: str, killed_at: str | None = None) -> list[str]:
        start = ["-m", "trainer"] if killed_at is None else ["-c", KILLED.format(what=killed_at)]
        return [sys.executable, *start, "labels", "collect", "--store", "store", *options]

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(
            {
                **self.variables,
                "LABELS_TOPIC": self.topic,
                "FEED_LABELS_TOPIC": self.feeds_topic,
                "LABELS_DEAD_LETTERS_TOPIC": self.dead_letters,
                "LABELS_GROUP_ID": self.topic,
            }
        )

    def collect(
        self, *options: str, killed_at: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*options, killed_at=killed_at),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def follow(self, log: str) -> ChildProcess:
        """Start it; the caller ends it."""
        return ChildProcess(
            self.command("--follow", "--interval", "0.1"),
            log=self.folder / log,
            environment=self.environment,
            folder=self.folder,
        )

    def committed(self) -> dict[tuple[str, int], int]:
        offsets = committed_offsets(self.kafka, self.topic)
        return {place: offset for place, offset in offsets.items() if place[0] == self.topic}


@pytest.fixture
def collection(kafka: KafkaBroker, topics: Any, tmp_path: Path) -> Collection:
    return Collection(kafka, topics, tmp_path)


def test_labels_are_read_in_every_codec(collection: Collection) -> None:
    places: set[tuple[str, int, int]] = set()
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        value = label_record(f"http://evil.example/{codec}")
        places |= collection.produce([value] * 3, codec=codec)

    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert collection.stored() == Counter(places)


def test_labels_are_stored_and_unusable_records_become_dead_letters_with_a_reason(
    collection: Collection,
) -> None:
    good = collection.labels(5)
    bad: list[bytes | None] = [
        b"\xff",
        None,
        b'{"url": "http://a.example/"}',
        label_record("http://a.example/").replace(b"malicious", b"phishing"),
        label_record("http://a.example/", labeled_at=NOON.replace(year=2090)),
        label_record("a.example").replace(b"a.example", b"http://"),
    ]
    places = collection.produce(bad)

    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "11 records read: 5 labels stored, 0 were there, 6 dead letters; the store is store\n"
    )
    assert collection.stored() == Counter(good)
    letters = read_all(collection.kafka, collection.dead_letters)
    assert {letter.value for letter in letters} == set(bad)
    headers = {letter.value: dict(letter.headers) for letter in letters}
    assert [headers[value]["reason"] for value in bad] == [
        b"not_utf8",
        b"empty",
        b"malformed",
        b"wrong_type",
        b"malformed",
        b"invalid_url",
    ]
    assert b"phishing" in headers[bad[3]]["detail"]
    assert b"later than" in headers[bad[4]]["detail"]
    assert {
        (
            header["source-topic"].decode(),
            int(header["source-partition"]),
            int(header["source-offset"]),
        )
        for header in headers.values()
    } == places
    assert collection.committed() == end_offsets(collection.kafka, collection.topic)

    again = collection.collect()
    assert again.stdout.startswith("0 records read"), again.stderr


@pytest.mark.parametrize("moment", ["kafka.KafkaConsumer.commit", "pathlib.Path.replace"])
def test_a_kill_between_store_and_commit_or_within_a_write_doubles_and_loses_nothing(
    collection: Collection, moment: str
) -> None:
    first = collection.labels(20)
    assert collection.collect().returncode == 0
    before = collection.committed()
    later = collection.labels(30)

    killed = collection.collect(killed_at=moment)

    assert killed.returncode == -signal.SIGKILL
    assert collection.committed() == before
    stored_before_the_commit = later if moment.endswith("commit") else set()
    assert collection.stored() == Counter(first | stored_before_the_commit)

    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 records read: ")
    assert f"{len(stored_before_the_commit)} were there" in done.stdout
    assert collection.stored() == Counter(first | later)
    assert collection.committed() == end_offsets(collection.kafka, collection.topic)


FEED = {"analyst": None, "feed": "urlhaus", "source": "urlhaus"}


def test_the_topic_decides_the_voice_and_not_the_claim_of_the_record(
    collection: Collection,
) -> None:
    url = "http://evil.example/x"
    collection.produce([label_record(url)])
    claimed: list[bytes | None] = [
        label_record(url, "benign", labeled_at=NOON + timedelta(hours=1)),
        label_record(url, "retracted", labeled_at=NOON + timedelta(hours=1)),
        label_record(url, "benign", feed="urlhaus", labeled_at=NOON + timedelta(hours=1)),
        label_record(url, "benign", **FEED | {"feed": "unknown"}),
    ]
    spoken = [label_record(url, "benign", **FEED)]
    produce(collection.kafka, collection.feeds_topic, [*claimed, *spoken])
    misplaced = label_record(url, "benign", **FEED)
    collection.produce([misplaced])

    collection.variables["LABEL_FEEDS"] = "urlhaus,phishtank"
    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("7 records read: 2 labels stored, 0 were there, 5 dead letters")
    stored = {label.topic: label.label for label in collection.store.labels()}
    assert (stored[collection.topic].label, stored[collection.topic].analyst) == (
        "malicious",
        "kim",
    )
    assert (stored[collection.feeds_topic].analyst, stored[collection.feeds_topic].feed) == (
        None,
        "urlhaus",
    )
    resolved = resolve(collection.store.labels())
    assert resolved["evil.example/x"].label == "malicious"
    details = {
        letter.value: dict(letter.headers)["detail"].decode()
        for letter in read_all(collection.kafka, collection.dead_letters)
    }
    assert details == {
        **dict.fromkeys(
            claimed[:3],
            f"a feed can't speak as an analyst: they write to topic {collection.topic}",
        ),
        claimed[3]: "its feed is not among label_feeds",
        misplaced: f"no analyst: labels of a feed belong into topic {collection.feeds_topic}",
    }


def test_kills_at_random_lose_and_double_nothing(collection: Collection) -> None:
    chance = random.Random(7)
    written: set[tuple[str, int, int]] = collection.labels(50)
    for number in range(4):
        process = collection.follow(f"{number}.log")
        try:
            wait_for_line(process, "labels stored")
            until = time.monotonic() + chance.uniform(0, 0.6)
            while time.monotonic() < until:
                written |= collection.labels(20)
        finally:
            process.kill()
        written |= collection.labels(20)

    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert collection.stored() == Counter(written)
    assert collection.committed() == end_offsets(collection.kafka, collection.topic)
    assert read_all(collection.kafka, collection.dead_letters) == []


def test_following_ends_with_sigterm_when_all_that_was_read_is_stored(
    collection: Collection,
) -> None:
    written = collection.labels(5)
    process = collection.follow("follow.log")
    try:
        wait_for_line(process, "labels stored")
        second = collection.collect()
        written |= collection.labels(7)
        process.wait_until(
            lambda: collection.stored().total() == 12, timeout=30, what="all labels in the store"
        )
        assert process.stop() == 0
    finally:
        process.kill()

    assert "12 records read" in (collection.folder / "follow.log").read_text()
    assert collection.stored() == Counter(written)
    assert collection.committed() == end_offsets(collection.kafka, collection.topic)
    assert second.returncode == 1
    errors = without_progress(second.stderr)
    assert errors.startswith("stream-trainer: another process collects into store")
    assert errors.count("\n") == 1


def test_an_empty_store_is_filled_from_the_beginning_also_if_the_first_try_is_killed(
    collection: Collection,
) -> None:
    written = collection.labels(20)
    assert collection.collect().returncode == 0
    (collection.folder / "store").rename(collection.folder / "lost")

    killed = collection.collect(killed_at="stream_detector.kafka.label_reading.LabelReader.commit")

    assert killed.returncode == -signal.SIGKILL
    assert collection.committed() == dict.fromkeys(
        ((collection.topic, partition) for partition in range(PARTITIONS)), 0
    )
    assert collection.collect().returncode == 0
    assert collection.stored() == Counter(written)

    reread = collection.collect("--from-beginning")
    assert "0 labels stored, 20 were there" in reread.stdout
    assert collection.stored() == Counter(written)


def test_only_committed_transactions_are_read_and_their_markers_are_skipped(
    collection: Collection,
) -> None:
    producer = Producer(
        {
            "bootstrap.servers": collection.kafka,
            "transactional.id": collection.topic,
            "log_level": 0,
        }
    )
    producer.init_transactions(60)
    for url, end in (
        ("http://committed.example/", producer.commit_transaction),
        ("http://aborted.example/", producer.abort_transaction),
    ):
        producer.begin_transaction()
        producer.produce(collection.topic, label_record(url), partition=0)
        producer.flush(60)
        end(60)

    done = collection.collect()

    assert done.returncode == 0, done.stderr
    assert [stored.label.url for stored in collection.store.labels()] == [
        "http://committed.example/"
    ]


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"LABELS_TOPIC": "nowhere"}, 1, "topic nowhere is missing"),
        ({"BOOTSTRAP_SERVERS": "127.0.0.1:9"}, 1, "can't be reached"),
        ({"BOOTSTRAP_SERVERS": "kafka"}, 2, "host:port"),
    ],
)
def test_an_obstacle_to_collecting_gives_one_line(
    collection: Collection, settings: dict[str, str], code: int, said: str
) -> None:
    given = {f"STREAM_DETECTOR_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        collection.command(),
        cwd=collection.folder,
        env=collection.environment | given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    errors = without_progress(done.stderr)
    assert said in errors
    assert errors.count("\n") == 1
    assert errors.startswith("stream-trainer: ")


def test_a_log_in_without_tls_prints_no_warnings_of_libraries(
    secured_kafka: SecuredBroker, secured_topics: Any, tmp_path: Path
) -> None:
    collection = Collection(secured_kafka, secured_topics, tmp_path)
    settings = secured_kafka.clear_settings(
        labels_topic=collection.topic,
        feed_labels_topic=collection.feeds_topic,
        labels_dead_letters_topic=collection.dead_letters,
        labels_group_id=collection.topic,
    )
    secured_kafka.grant("clear", rights_of("label-collector", settings))
    collection.labels(1)
    collection.variables = connection_variables(settings)

    done = collection.collect()

    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    assert done.stdout.startswith("1 records read: 1 labels stored")
