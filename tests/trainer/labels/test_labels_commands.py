"""What ``stream-trainer labels show`` and ``export`` make of a store, for people and training."""

import csv
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from stream_detector.wire.label_files import LabelDefaults, labels_of_file
from support.commands import run_trainer
from support.labels import NOON, stored_label
from trainer.examples.labelled import Examples, LeakSearch, read_examples
from trainer.examples.readers import Row, read_rows
from trainer.labels.store import LabelStore, StoredLabel


def _of_an_older_release(stored: StoredLabel) -> StoredLabel:
    """With a name that is refused today."""
    return stored._replace(label=structs.replace(stored.label, source="a\x1b[31m"))


PEOPLE = ("source", "analyst", "feed")
FEED = {"analyst": None, "feed": "urlhaus", "source": "urlhaus"}
LABELS = [
    stored_label("http://www.evil.example/x", "malicious", offset=0, hours=5, **FEED),
    stored_label("http://evil.example/x", "malicious", offset=1, hours=1, confidence=0.25),
    stored_label("http://evil.example/x", "benign", offset=2, hours=2),
    stored_label("Bad.example", "malicious", offset=3, days=1, **FEED),
    _of_an_older_release(stored_label("http://bad.example/", "malicious", offset=4, days=1)),
    stored_label("http://list.example/?a,b", "malicious", offset=5, days=1, **FEED),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LabelStore(tmp_path / "label-store")
    with store.writing():
        store.add(LABELS)
    return tmp_path


def labels(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_trainer("labels", *arguments, folder=folder)


def test_of_a_url_every_standing_label_is_shown_the_one_that_counts_first(folder: Path) -> None:
    done = labels("show", "https://EVIL.example/x#y", "new.example", folder=folder)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "evil.example/x: benign, 1 of 2 voices disagree",
        "  benign     2026-11-24T14:00:00Z  analyst kim, source soc  in url-labels:0:2",
        "  malicious  2026-11-24T17:00:00Z  feed urlhaus, source urlhaus  in url-labels:0:0",
        "new.example: not labelled",
    ]


def test_all_is_summed_up_and_names_cannot_play_with_the_terminal(folder: Path) -> None:
    done = labels("show", folder=folder)

    first, second, _, *sources = done.stdout.splitlines()
    assert first == "6 labels collected, from 2026-11-24 to 2026-11-25"
    assert second == "3 texts: 2 malicious, 1 benign; 1 text has labels that contradict each other"
    assert sorted(line.split() for line in sources) == [
        ["a\\x1b[31m", "1", "1", "0"],
        ["soc", "1", "1", "0"],
        ["urlhaus", "3", "1", "1"],
    ]


def test_training_reads_an_export(folder: Path) -> None:
    done = labels("export", "labelled.csv", "--trust", "urlhaus,soc", folder=folder)

    assert (done.returncode, done.stdout) == (0, "")
    with (folder / "labelled.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["url"]: row for row in csv.DictReader(file)}
    assert rows["evil.example/x"] == {
        "url": "evil.example/x",
        "label": "0",
        "source": "soc",
        "time": "2026-11-24T14:00:00Z",
        "analyst": "kim",
        "feed": "",
        "confidence": "",
        "disagreeing": "1",
    }
    counts: Counter[str] = Counter()
    examples = list(
        read_examples(Examples((folder / "labelled.csv",)), "url", counts, LeakSearch())
    )
    assert {(each.text, each.label) for each in examples} == {
        ("evil.example/x", 0),
        ("bad.example", 1),
        ("list.example/?a,b", 1),
    }
    assert {each.source for each in examples} == {"soc", "urlhaus", "a\x1b[31m"}
    assert min(each.time for each in examples) == LABELS[2].label.labeled_at.timestamp() - 7200
    assert not list(folder.glob(".*"))


def test_no_name_is_a_formula_of_a_spreadsheet_and_each_is_read_back_as_it_was(
    tmp_path: Path,
) -> None:
    names = ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1", "＠SUM(A1)", "'=1", "''", "a=b"]
    store = LabelStore(tmp_path / "label-store")
    with store.writing():
        store.add(
            stored_label(
                f"http://evil{number}.example/x",
                offset=number,
                source=name,
                analyst=name,
                feed=name,
            )
            for number, name in enumerate(names)
        )
    done = labels("export", "labelled.csv", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    file = tmp_path / "labelled.csv"
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(encoding="utf-8", newline="") as lines:
        cells = [row[column] for row in csv.DictReader(lines) for column in PEOPLE]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r＝＋－＠"]
    rows = [row.values for row in read_rows(file) if isinstance(row, Row)]
    assert [row["source"] for row in rows] == names
    defaults = LabelDefaults(None, None, None, None, None, NOON)
    back = labels_of_file(file, defaults)
    assert [label.analyst for label in back] == names


def test_hosts_are_exported_as_hosts(folder: Path) -> None:
    done = labels("export", "-", "--kind", "host", folder=folder)

    header, row = done.stdout.splitlines()
    assert header.startswith("host,label,source,time")
    assert row.startswith("bad.example,1,")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "--store", "nowhere"), 1, "nowhere holds no labels: fill it by"),
        (("show", "http://"), 2, "'http://' is not a URL or host name"),
        (("export", "none/labelled.csv"), 1, "can't be written: No such file or directory"),
    ],
)
def test_an_impossible_command_gives_one_line(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = labels(*arguments, folder=folder)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
