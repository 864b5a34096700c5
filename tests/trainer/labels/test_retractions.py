"""A label that is taken back: by the commands of analyst and trainer, on a real Kafka."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.broker import KafkaBroker
from support.commands import run_command, run_trainer
from support.records import read_all

pytestmark = pytest.mark.kafka

URL, OTHER = "http://evil.example/login", "http://other.example/x"


class Desk:
    """The topic of labels, a store, and the commands that write to the one and fill the other."""

    def __init__(self, kafka: KafkaBroker, topics: Any, folder: Path) -> None:
        self.kafka = kafka.bootstrap_servers
        self.folder = folder
        self.dead_letters: str = topics("labels-dlq", partitions=1)
        topic = topics("labels")
        self.settings = {
            "BOOTSTRAP_SERVERS": self.kafka,
            "LABELS_TOPIC": topic,
            "FEED_LABELS_TOPIC": topics("label-feeds"),
            "LABELS_DEAD_LETTERS_TOPIC": self.dead_letters,
            "LABELS_GROUP_ID": topic,
        }

    def label(self, *words: str) -> str:
        """What ``stream-detector label`` prints."""
        done = run_command("label", *words, settings=self.settings)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def labels(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``stream-trainer labels``, to its end, which is a good one."""
        done = run_trainer("labels", *words, folder=self.folder, settings=self.settings)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture
def desk(kafka: KafkaBroker, topics: Any, tmp_path: Path) -> Desk:
    return Desk(kafka, topics, tmp_path)


def test_a_label_that_its_analyst_takes_back_stops_counting(desk: Desk) -> None:
    desk.label(URL, OTHER, "malicious", "--analyst", "kim")
    # Another analyst takes back what she never said: kim's label stands.
    desk.label(URL, "retracted", "--analyst", "pat")
    collected = desk.labels("collect")
    assert collected.stdout == (
        "3 records read: 3 labels stored, 0 were there, 0 dead letters; the store is label-store\n"
    )
    assert collected.stderr == ""  # It is not said twice.
    first, kims, pats = desk.labels("show", URL).stdout.splitlines()
    assert first == "evil.example/login: malicious"
    assert kims.startswith("  malicious ")
    assert pats.startswith("  retracted ")

    written = desk.label(URL, "retracted", "--analyst", "kim")
    assert written.startswith("retracted  evil.example/login  in ")
    desk.labels("collect")
    first, *rest = desk.labels("show", URL).stdout.splitlines()
    assert first == "evil.example/login: not labelled"
    assert sorted(line.split()[3] for line in rest) == ["kim,", "pat,"]
    _, second, *_ = desk.labels("show").stdout.splitlines()
    assert second == ("1 texts: 1 malicious, 0 benign; no labels contradict each other")
    _, *rows = desk.labels("export", "-").stdout.splitlines()
    assert [row.partition(",")[0] for row in rows] == ["other.example/x"]

    desk.label(OTHER, "retracted", "--analyst", "kim")
    desk.labels("collect")
    header = desk.labels("export", "-").stdout
    assert header.startswith("url,label,")
    assert header.count("\n") == 1
    _, second, *_ = desk.labels("show").stdout.splitlines()
    assert second.startswith("0 texts: ")
    assert read_all(desk.kafka, desk.dead_letters) == []
