"""``stream-trainer drift`` as a user runs it, on files and on a real Kafka."""

import gzip
import json
from datetime import UTC, datetime

import msgspec
import pytest
from confluent_kafka import Producer

from stream_detector.events import ModelRef
from stream_detector.models.bundle import load_bundle
from stream_detector.settings.fields import Settings
from support.commands import run_trainer
from support.drifting import END, INJECTED_DOMAIN, INJECTED_TOPIC, injected, ordinary

UNKNOWN = ModelRef("url-model", "3", "a" * 64)
BEFORE, RECENT = (24.1, 8 * 24), (0.01, 23.9)


def drift(*arguments, settings=None):
    return run_trainer("drift", *arguments, settings=settings, timeout=240)


def all_verdicts(model=UNKNOWN, count=1000):
    return [
        *ordinary(2 * count, model, hours=BEFORE),
        *ordinary(count, model, hours=RECENT, seed=1),
        *injected(count // 5, model),
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("drift") / "verdicts.jsonl.gz"
    # The last one ends the recent window.
    values = [value for _, value in sorted(all_verdicts())]
    path.write_bytes(gzip.compress(b"\n".join(values) + b"\n\nno verdict\n"))
    return path


def test_a_file_of_verdicts_is_explained_and_plotted(file, tmp_path):
    done = drift("--file", file, "--plot", tmp_path / "drift.svg", "--top", 3)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "1 records are no verdicts, and were left out" in lines
    assert any(line.split()[:2] == [INJECTED_TOPIC, "200"] for line in lines)
    domains = [line.split()[0] for line in lines[lines.index(NEXT) + 2 :][:3]]
    assert domains[0] == INJECTED_DOMAIN
    svg = (tmp_path / "drift.svg").read_text()
    assert svg.rstrip().endswith("</svg>")
    assert "url, query" in svg


NEXT = "  by registered domain, the most first:"


def test_json_has_all_bins(file):
    done = drift("--file", file, "--json", "--since", "2d", "--baseline", "3d")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (model,) = found["models"]
    assert [one["name"] for one in model["statistics"]][:2] == ["score", "length"]
    assert sum(model["statistics"][0]["recent"]) == pytest.approx(1)
    hours = {
        name: moment(found[name]["end"]) - moment(found[name]["start"])
        for name in ("recent", "baseline")
    }
    assert {name: length.total_seconds() / 3600 for name, length in hours.items()} == {
        "recent": 48,
        "baseline": 72,
    }


def moment(text):
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--since", "yesterday"], 2, "'yesterday' is not a duration"),
        (["--since", "0h"], 2, "'0h' is not a duration"),
        (["--baseline", "9999w"], 2, "too long: ten years at most"),
        (["--file", "missing.jsonl"], 1, "missing.jsonl can't be read"),
        (["--file", "/dev/null"], 1, "no model's verdict of the last 24 hours was found"),
        (["--bundle", "missing"], 1, "missing/manifest.json cannot be read"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments, code, message):
    done = drift(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def cut(packed):
    return packed[:2000]


def garbled(packed):
    return packed[:2000] + b"\xff" * 50 + packed[2050:]


@pytest.mark.parametrize("damaged", [cut, garbled])
def test_a_damaged_file_is_told(tmp_path, file, damaged):
    path = tmp_path / "bad.jsonl.gz"
    path.write_bytes(damaged(file.read_bytes()))
    done = drift("--file", path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "bad.jsonl.gz can't be read" in done.stderr


@pytest.mark.parametrize(
    "detected_at",
    ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_a_verdict_of_a_time_that_can_not_be_is_passed_over_and_told(tmp_path, detected_at):
    _, value = next(ordinary(1, UNKNOWN, hours=RECENT))
    strange = msgspec.json.decode(value) | {"detected_at": detected_at}
    path = tmp_path / "strange.jsonl"
    path.write_bytes(msgspec.json.encode(strange) + b"\n")

    alone = drift("--file", path)
    assert (alone.returncode, alone.stderr.count("\n")) == (1, 1)
    assert "(1 records are no verdicts)" in alone.stderr

    path.write_bytes(value + b"\n" + path.read_bytes())
    done = drift("--file", path)
    assert done.returncode == 0, done.stderr
    assert "1 records are no verdicts, and were left out" in done.stdout


@pytest.mark.kafka
def test_on_kafka_the_injected_topic_and_domain_are_found(kafka, topics, tmp_path):
    bundle = load_bundle(Settings().url_bundle)
    topic = topics("verdicts", partitions=3)
    older = ordinary(100, bundle.ref, hours=(9 * 24, 20 * 24))
    write(kafka, topic, [*older, *all_verdicts(bundle.ref)])
    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VERDICTS_TOPIC": topic}

    done = drift("--json", settings=settings)

    assert done.returncode == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    assert (model["recent"]["verdicts"], model["baseline"]["verdicts"]) == (1200, 2000)
    assert model["reference_rows"] == bundle.manifest.reference.rows
    assert model["topics"]["movers"][0]["name"] == INJECTED_TOPIC
    assert model["domains"]["movers"][0]["name"] == INJECTED_DOMAIN
    assert model["statistics"][0]["psi_baseline"] > 0.25

    # A sample has them as well, from all over the windows.
    done = drift("--json", "--sample", 100, settings=settings)

    (model,) = json.loads(done.stdout)["models"]
    assert (model["recent"]["verdicts"], model["baseline"]["verdicts"]) == (300, 300)
    assert model["topics"]["movers"][0]["name"] == INJECTED_TOPIC
    assert 20 < model["topics"]["movers"][0]["recent"]["verdicts"] < 90


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_told(kafka):
    settings = {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "VERDICTS_TOPIC": "nowhere"}
    done = drift(settings=settings)

    assert (done.returncode, done.stdout) == (1, "")
    assert "topic nowhere is missing" in done.stderr


def test_kafka_that_is_not_there_is_told():
    done = drift(settings={"BOOTSTRAP_SERVERS": "127.0.0.1:1"})

    assert (done.returncode, done.stdout) == (1, "")
    assert "127.0.0.1:1" in done.stderr
    assert done.stderr.count("\n") == 1


def write(kafka, topic, verdicts):
    """As workers do by and by: in order of time, each at its own; the last at this minute."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 20})
    shift = datetime.now(UTC) - END
    for number, (written_at, value) in enumerate(sorted(verdicts)):
        fields = msgspec.json.decode(value)
        fields["detected_at"] = (written_at + shift).isoformat()
        producer.produce(
            topic,
            msgspec.json.encode(fields),
            partition=number % 3,
            timestamp=int((written_at + shift).timestamp() * 1000),
        )
    assert producer.flush(60) == 0
