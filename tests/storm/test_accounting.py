"""A storm finds what is lost, what differs and what crashed; each by itself makes it fail."""

import json
from collections import Counter
from pathlib import Path

import pytest

from storm.accounting import Account, Count, OfflineReader, chunks_of
from storm.mixture import mixture
from storm.report import Result
from storm.worker_logs import LogReading, read_logs
from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.events import Chunk
from stream_detector.metrics import Metrics
from stream_detector.settings.fields import Settings
from stream_detector.wire.outcomes import Encoded, encode
from support.records import Record
from support.rule_worker import RuleScorer

TOPIC, CLUSTER = "url-events", "c1"
VALUES = [
    b"http://evil.example/login",
    b"a.example\nb.example\nwhat is this line",
    b"#fields\tts\tuid",
    None,
    b'{"url": "http://c.example/x", "client": "10.0.0.1"}',
]
"""They owe 4 verdicts and 2 dead letters in partition 0, and the same in partition 1."""


class Scorer(RuleScorer):
    """Scores everything 0.995: malicious."""

    def score(self, kind, texts):
        return super().score(kind, texts) * 0 + 0.995


def records(values: list[bytes | None] = VALUES) -> list[Record]:
    return [
        Record(TOPIC, partition, offset, 1_795_000_000_000, None, value, [])
        for partition in (0, 1)
        for offset, value in enumerate(values)
    ]


def outputs(values: list[bytes | None] = VALUES) -> Encoded:
    """What a worker writes of ``records``."""
    settings, metrics = Settings(), Metrics()
    decider = decider_of(Scorer(), settings=settings, metrics=metrics)
    pipeline = pipeline_of(settings=settings, decider=decider, metrics=metrics, cluster=CLUSTER)
    chunks = [
        Chunk(TOPIC, partition, [each for each in records(values) if each.partition == partition])
        for partition in (0, 1)
    ]
    return encode(pipeline.process(chunks))


def account_of(written: Encoded, values: list[bytes | None] = VALUES) -> Account:
    """The account of ``records``, once ``written`` was seen."""
    account, reader = Account(CLUSTER, TOPIC), OfflineReader(CLUSTER, TOPIC)
    for partition, chunk in chunks_of(records(values)):
        account.expect(partition, reader.read(partition, chunk))
    for _, value, _ in written.verdicts:
        account.see_verdict(value or b"")
    for key, value, headers in written.dead_letters:
        account.see_dead_letter(Record("dlq", 0, 0, 0, key, value, headers))
    for key, _, _ in written.alerts:
        account.see_alert(key or b"")
    return account


def result_of(
    account: Account, *, logs: LogReading | None = None, misbehaved: Count | None = None, **fields
) -> Result:
    """The result of a storm in which all else went well."""
    values = {
        "seed": 1,
        "minutes": 1.0,
        "brokers": 3,
        "workers_started": 2,
        "actions": Counter({"SIGKILL": 3}),
        "delivered": account.records,
        "refused": [],
        "loaded_seconds": 61.0,
        "caught_up_seconds": 1.0,
        "behind": "",
        "account": account,
        "misbehaved": misbehaved or Count(),
        "logs": logs or LogReading(),
        "folder": Path("logs"),
    }
    return Result(**{**values, **fields})


def assert_only(result: Result, finding: str, *, count: int = 1) -> None:
    """The result is a failure, for this reason alone."""
    assert {name: found.count for name, found in result.findings.items() if found.count} == {
        finding: count
    }
    assert not result.has_passed
    *_, last = result.lines()
    assert last == f"FAILED: {finding}"


def test_all_that_is_owed_makes_a_storm_that_passes():
    account = account_of(outputs())
    result = result_of(account)
    assert result.has_passed, list(result.lines())
    assert (account.records, account.owed, account.naming_no_url) == (10, 12, 2)
    assert (account.verdicts, account.dead_letters, account.repeated) == (8, 4, 0)


@pytest.mark.parametrize("place", range(8))
def test_each_verdict_that_never_came_is_found(place):
    written = outputs()
    (_, value, _) = written.verdicts.pop(place)
    result = result_of(account_of(written))
    assert_only(result, "outputs lost")
    assert any(json.loads(value)["id"] in line for line in result.lines())


@pytest.mark.parametrize("place", range(4))
def test_each_dead_letter_that_never_came_is_found(place):
    written = outputs()
    written.dead_letters.pop(place)
    assert_only(result_of(account_of(written)), "outputs lost")


def test_an_input_of_which_nothing_came_is_lost_whole():
    empty = Encoded([], [], [])
    assert_only(result_of(account_of(empty)), "outputs lost", count=12)


def test_equal_repeats_are_counted_and_no_fault():
    written = outputs()
    account = account_of(
        Encoded(written.verdicts * 2, written.alerts, written.dead_letters + written.dead_letters)
    )
    assert result_of(account).has_passed
    assert account.repeated == 12


@pytest.mark.parametrize(
    "change",
    [
        {"score": 0.9950001},
        {"verdict": "benign"},
        {"model": {"name": "rule", "version": "2", "sha256": "0" * 64}},
        {"reason": "deny_list"},
    ],
)
def test_a_repeat_that_was_decided_otherwise_is_found(change):
    written = outputs()
    _, value, _ = written.verdicts[3]
    other = json.dumps({**json.loads(value), **change}).encode()
    written.verdicts.append((None, other, []))
    assert_only(result_of(account_of(written)), "repeats that differ")


@pytest.mark.parametrize("change", [{"observed": "http://d.example/"}, {"client": "10.0.0.2"}])
def test_a_verdict_with_what_another_record_says_is_found(change):
    written = outputs()
    key, value, headers = written.verdicts[3]
    other = json.dumps({**json.loads(value), **change}).encode()
    written.verdicts[3] = key, other, headers
    account = account_of(written)
    assert account.misread.count == 1


@pytest.mark.parametrize("index", ["9", "0x"])
def test_a_verdict_that_no_record_owes_is_found(index):
    written = outputs()
    value = json.loads(written.verdicts[0][1])
    value["id"] = f"{CLUSTER}:{TOPIC}:0:0:{index}"
    if index.isdigit():
        value["source"]["index"] = int(index)
    written.verdicts.append((None, json.dumps(value).encode(), []))
    assert_only(result_of(account_of(written)), "outputs of what nobody sent")


def test_a_dead_letter_of_a_good_record_is_found():
    written = outputs()
    key, value, headers = written.dead_letters[0]
    moved = [(name, b"4" if name == "source-offset" else text) for name, text in headers]
    written.dead_letters.append((key, value, moved))
    assert_only(result_of(account_of(written)), "outputs of what nobody sent")


def test_a_dead_letter_for_another_reason_is_found():
    written = outputs()
    key, value, headers = written.dead_letters[0]
    other = [(name, b"empty" if name == "reason" else text) for name, text in headers]
    written.dead_letters[0] = key, value, other
    assert_only(result_of(account_of(written)), "outputs that differ from an offline reading")


def test_a_dead_letter_with_other_bytes_is_found():
    written = outputs()
    key, value, headers = written.dead_letters[0]
    written.dead_letters[0] = key, (value or b"")[:-1], headers
    assert_only(result_of(account_of(written)), "outputs that differ from an offline reading")


def test_a_dead_letter_that_was_cut_and_says_so_is_no_fault():
    written = outputs()
    key, value, headers = written.dead_letters[0]
    headers = [*headers, ("truncated-from-bytes", b"45")]
    written.dead_letters[0] = key, (value or b"")[:-1], headers
    assert result_of(account_of(written)).has_passed


def test_a_malicious_client_and_domain_without_an_alert_is_found():
    written = outputs()
    written.alerts.pop()
    assert_only(result_of(account_of(written)), "malicious clients and domains without an alert")


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        (
            '{"level": "error", "message": "m", "exception": "Traceback (most recent call last)"}',
            "tracebacks in workers' logs",
        ),
        ("Traceback (most recent call last):", "tracebacks in workers' logs"),
        ('{"level": "critical", "message": "m"}', "critical lines in workers' logs"),
    ],
)
def test_what_no_worker_should_log_is_found(line, finding, tmp_path):
    log = tmp_path / "worker-1.log"
    log.write_text(f'{{"level": "info", "message": "ready"}}\n{line}\n{{"level": "info", "mess')
    logs = read_logs([log])
    assert_only(result_of(account_of(outputs()), logs=logs), finding)


def test_warnings_are_counted_by_what_they_say_and_no_fault(tmp_path):
    log = tmp_path / "worker-1.log"
    log.write_text("".join(f'{{"level": "warning", "message": "{n} lost"}}\n' for n in (1, 23)))
    logs = read_logs([log])
    assert logs.warnings == {"warning: N lost": 2}
    assert result_of(account_of(outputs()), logs=logs).has_passed


def test_a_worker_that_ended_by_itself_is_found():
    misbehaved = Count()
    misbehaved.add("worker-1 ended by itself, exit code 1")
    result = result_of(account_of(outputs()), misbehaved=misbehaved)
    assert_only(result, "workers that ended by themselves or not by 0")


def test_partitions_that_stay_behind_are_found():
    result = result_of(account_of(outputs()), caught_up_seconds=None, behind="3: 1 of 2")
    assert_only(result, "partitions not committed to their end")


@pytest.mark.parametrize("fields", [{"delivered": 11}, {"refused": ["too large"]}])
def test_input_that_kafka_lost_is_found(fields):
    result = result_of(account_of(outputs()), **fields)
    assert_only(result, "input records that Kafka refused or lost")


def test_the_mixture_has_verdicts_dead_letters_and_lines_that_name_no_url():
    values = mixture(1)
    some = [next(values) for _ in range(3000)]
    account = account_of(outputs(some), some)
    assert result_of(account).has_passed
    formats = {json.loads(value or b"")["format"] for _, value, _ in outputs(some).verdicts}
    assert formats == {"suricata", "zeek_dns", "zeek_http", "json", "squid", "dnsmasq", "plain"}
    reasons = {dict(headers)["reason"] for _, _, headers in outputs(some).dead_letters}
    assert len(reasons) >= 6
    assert account.naming_no_url > 20
