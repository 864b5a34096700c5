"""``make attack`` in short, as a user runs it; and each bound that is broken makes it fail."""

import dataclasses
import os
import subprocess
import sys

import pytest

from attack.kinds import KINDS, SECRET, mixed_batches
from attack.outputs import OutputReader, owing
from attack.result import MEMORY_BYTES_MAX, Ending, Wave, bounds
from storm.accounting import Count
from support.processes import ROOT
from support.records import produce

RECORDS = 3_000


def attack(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attack", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.kafka
@pytest.mark.slow
def test_a_short_attack_breaks_no_bound_of_memory_loss_secrets_and_survival(tmp_path):
    done = attack(
        "--records", str(RECORDS), "--workers", "1", "--untimed", "--folder", str(tmp_path / "logs")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("passed")
    held = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert len(held) == 6, done.stdout
    assert f"{RECORDS:,} records in" in done.stdout


def test_the_help_shows_how_to_run_each_kind_alone():
    done = attack("--help")
    assert done.returncode == 0
    assert 'make attack ARGS="--each 500"' in done.stdout


@pytest.mark.parametrize("arguments", [["--records", "none"], ["--kind", "quotes"]])
def test_wrong_options_are_refused(arguments):
    done = attack(*arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr


def test_a_mixture_has_all_kinds_the_records_asked_for_and_the_secret():
    batches = list(mixed_batches(RECORDS, seed=5))
    assert {batch.kind for batch in batches} == {kind.name for kind in KINDS}
    assert sum(len(batch.records) for batch in batches) == RECORDS
    planted = [
        record
        for batch in batches
        for record in batch.records
        if SECRET.encode() in (record.value or b"")
    ]
    assert len(planted) > RECORDS / 4


def count(*examples: str) -> Count:
    made = Count()
    for example in examples:
        made.add(example)
    return made


WAVE = Wave(
    name="mixture",
    records=100,
    wire_bytes=1_000,
    unpacked_bytes=50_000_000,
    seconds=10.0,
    peak_bytes=[MEMORY_BYTES_MAX - 1],
    ordinary=100,
    quiet_ms=[5] * 100,
    ordinary_ms=[5] * 99 + [5_000],
    outputs=200,
    lost=[count(), count()],
    refused=[],
)
ENDING = Ending(alive=1, misbehaved=count(), secrets=count(), secrets_in_logs=count())


def broken(wave: Wave = WAVE, ending: Ending = ENDING, *, is_timed: bool = True) -> list[str]:
    held = bounds([wave], ending, workers=1, is_timed=is_timed)
    return [bound.text for bound in held if bound.holds is False]


def test_an_attack_within_its_bounds_passes():
    assert not broken()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ordinary_ms": [5] * 98 + [5_000] * 2}, "p99"),
        ({"ordinary_ms": []}, "p99"),
        ({"seconds": 51.0}, "drained"),
        ({"peak_bytes": [MEMORY_BYTES_MAX]}, "memory"),
        ({"peak_bytes": []}, "memory"),
        ({"lost": [count(), count("0:7")]}, "accounted"),
        ({"refused": ["too large"]}, "Kafka has all"),
    ],
)
def test_what_breaks_a_bound_of_an_attack_fails(change, text):
    (found,) = broken(dataclasses.replace(WAVE, **change))
    assert text in found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alive": 0}, "alive"),
        ({"misbehaved": count("ended by 1")}, "alive"),
        ({"secrets": count("verdict")}, "no verdict"),
        ({"secrets_in_logs": count("line 3")}, "no log"),
    ],
)
def test_what_is_found_at_the_end_fails(change, text):
    (found,) = broken(ending=dataclasses.replace(ENDING, **change))
    assert text in found


def test_an_attack_of_no_second_has_no_rate():
    assert not broken(dataclasses.replace(WAVE, seconds=0.5, unpacked_bytes=1))


def test_times_are_no_bounds_where_nobody_asks():
    slow = dataclasses.replace(WAVE, ordinary_ms=[5_000], seconds=100.0)
    assert broken(slow)
    assert not broken(slow, is_timed=False)


@pytest.mark.kafka
def test_a_record_without_an_output_is_lost_unless_it_names_no_url(kafka, topics):
    topic = topics("hostile", partitions=1)
    nothing = b'{"event_type":"flow","flow_id":1}'
    produce(kafka.bootstrap_servers, topic, [b"http://lost.example/", b"", nothing], partition=0)
    places = {(topic, 0, offset) for offset in range(3)}
    lost = owing(kafka.bootstrap_servers, "c", topic, places)
    assert [example.partition(": ")[0] for example in lost.examples] == [
        f"{topic} 0:0",
        f"{topic} 0:1",
    ]


@pytest.mark.kafka
def test_the_secret_is_found_in_outputs_and_each_reading_goes_on(kafka, topics):
    names = [topics(name, partitions=2) for name in ("verdicts", "alerts", "letters")]
    outputs = OutputReader(
        kafka.bootstrap_servers, verdicts=names[0], alerts=names[1], dead_letters=names[2]
    )
    verdict = b'{"source":{"topic":"t","partition":0,"offset":%d,"index":0},"observed":"%s"}'
    with outputs:
        produce(kafka.bootstrap_servers, names[0], [verdict % (1, b"a"), verdict % (2, b"b")])
        outputs.read_on()
        assert outputs.written.keys() == {("t", 0, 1), ("t", 0, 2)}
        assert not outputs.secrets.count
        produce(kafka.bootstrap_servers, names[0], [verdict % (3, SECRET.encode())])
        produce(kafka.bootstrap_servers, names[1], [b"x"], keys=[SECRET.encode()])
        header = ("source-topic", b"t"), ("source-partition", b"0"), ("source-offset", b"4")
        produce(
            kafka.bootstrap_servers, names[2], [b"x"], headers=[*header, ("h", SECRET.encode())]
        )
        outputs.read_on()
    assert outputs.written.keys() == {("t", 0, 3), ("t", 0, 4)}
    assert outputs.secrets.count == 3
