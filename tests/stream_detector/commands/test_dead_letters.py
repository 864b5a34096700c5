"""``dead-letters`` as its user has it: a worker makes them on a real Kafka, the user lists, shows,
puts right what was wrong, and replays them into verdicts."""

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from stream_detector.settings.fields import ENVIRONMENT_PREFIX
from support.broker import KafkaBroker
from support.commands import assert_one_line_error, command_line, run_command
from support.processes import (
    ROOT,
    ChildProcess,
    free_port,
    start_module,
    wait_for_http,
)
from support.records import Record, committed_offsets, end_offsets, produce, read_all
from support.terminal import OnTerminal

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

INPUT, VERDICTS, ALERTS, LETTERS = "url-events", "url-verdicts", "url-alerts", "url-events-dlq"
SOUND = "sound-events"
"""A second input, whose format is right from the beginning: it brings an alert."""
GROUP = "stream-detector"

WHOLE = [
    b'{"url": "http://shop%d.example/cart", "client": "10.1.0.%d"}' % (n, n) for n in range(20)
]
WITH_QUERY = [b'{"url": "http://mail%d.example/in?user=kim%d"}' % (n, n) for n in range(8)]
EXPIRED = [b'{"url": "http://old%d.example/?session=%d"}' % (n, n) for n in range(3)]
DENIED = b'{"url": "http://mail3.example/sound"}'
POISON = [b"\xff\xfe\x00bad", b"\x1b]0;owned\x07\x1b[2J \xe2\x80\xae fdp.exe \r\n\x9b31m"]


class Site:
    """A broker with topics of the default names, a worker of the user's, and the commands."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.settings = {
            "BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "TOPIC_PARTITIONS": "2",
        }
        self.worker: ChildProcess | None = None
        self.of_empty_topics: list[subprocess.CompletedProcess[bytes]] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return run_command("dead-letters", *arguments, settings=self.settings)

    def output(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout.decode()

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output(*arguments, "--json").splitlines()]

    def start_worker(self, **settings: str) -> None:
        """The rule scores: its model loads in no time."""
        self.stop_worker()
        port = free_port()
        given = {**self.settings, "HTTP_PORT": str(port), **settings}
        self.worker = start_module(
            "support.rule_worker",
            log=self.folder / f"worker-{port}.log",
            environment={
                "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
                **{ENVIRONMENT_PREFIX + name: value for name, value in given.items()},
            },
        )
        wait_for_http(self.worker, f"http://127.0.0.1:{port}/readyz", timeout=120)

    def stop_worker(self) -> None:
        if self.worker is not None:
            assert self.worker.stop() == 0
        self.worker = None

    def wait_until_read(self) -> None:
        """Until the worker has committed all input."""

        def all_committed() -> bool:
            ends = end_offsets(self.broker.bootstrap_servers, INPUT)
            committed = committed_offsets(self.broker.bootstrap_servers, GROUP)
            return all(committed.get(place, 0) == end for place, end in ends.items())

        assert self.worker is not None
        self.worker.wait_until(all_committed, timeout=120, what="all input committed")

    def wait_for_an_alert(self) -> None:
        assert self.worker is not None
        self.worker.wait_until(lambda: bool(self.read(ALERTS)), timeout=120, what="an alert")

    def read(self, topic: str) -> list[Record]:
        return read_all(self.broker.bootstrap_servers, topic)

    def verdicts(self) -> Counter[str]:
        return Counter(
            json.loads(record.value or b"")["observed"] for record in self.read(VERDICTS)
        )

    def expire(self, partition: int, before: int) -> None:
        """Delete what the input has before an offset, as its retention would."""
        admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap_servers)
        try:
            admin.delete_records({TopicPartition(INPUT, partition): before})
        finally:
            admin.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All records have been read by a worker whose user has set a wrong format for one topic."""
    folder = tmp_path_factory.mktemp("dead-letters")
    deny = folder / "deny"
    deny.write_text("mail3.example\n")
    with KafkaBroker(folder / "kafka") as broker:
        site = Site(broker, folder)
        site.settings["DENY_LIST"] = str(deny)
        created = run_command("topics", "create", settings=site.settings)
        assert created.returncode == 0, created.stderr
        site.of_empty_topics = [
            site.run(*arguments)
            for arguments in (["list"], ["list", "--json"], ["show"], ["replay", "--since", "1h"])
        ]
        broker.create_topic(SOUND, partitions=1)
        produce(broker.bootstrap_servers, SOUND, [DENIED])
        produce(broker.bootstrap_servers, INPUT, EXPIRED, partition=1)
        produce(broker.bootstrap_servers, INPUT, WHOLE, keys=[b"k"] * len(WHOLE), partition=0)
        produce(broker.bootstrap_servers, INPUT, WITH_QUERY, partition=0)
        produce(broker.bootstrap_servers, INPUT, POISON, partition=0)
        try:
            site.start_worker(
                INPUT_TOPICS=f"{INPUT},{SOUND}",
                INPUT_FORMATS=f"{INPUT}=squid",
                MASK_QUERIES="dead_letters",
            )
            site.wait_until_read()
            site.wait_for_an_alert()
            site.stop_worker()
            yield site
        finally:
            if site.worker is not None:
                site.worker.kill()


def test_an_empty_topic_is_reported_and_no_error(site: Site) -> None:
    listed, as_json, shown, replayed = site.of_empty_topics

    assert {done.returncode for done in site.of_empty_topics} == {0}
    assert {done.stderr for done in site.of_empty_topics} == {b""}
    assert listed.stdout == b"0 dead letters in url-events-dlq\n"
    assert as_json.stdout == b""
    assert shown.stdout == b"no such dead letters in url-events-dlq\n"
    assert replayed.stdout == b"0 dead letters of url-events-dlq replayed\n"


def test_list_counts_by_reason_topic_format_and_kind_of_detail(site: Site) -> None:
    groups = site.objects("list")
    table = site.output("list")

    assert [
        (group["letters"], group["reason"], group["source_topic"], group["format"])
        for group in groups
    ] == [
        (31, "malformed", INPUT, "squid"),
        (1, "malformed", INPUT, "squid"),
        (1, "not_utf8", INPUT, ""),
    ]
    assert groups[0]["detail"] == "JSON in a topic of squid"
    assert groups[1]["detail"] not in {"", groups[0]["detail"]}
    assert groups[2]["detail"] == "binary: it has a NUL byte"
    assert groups[0]["not_as_read"] == len(WITH_QUERY) + len(EXPIRED)
    assert groups[0]["first"] <= groups[0]["last"]
    lines = [line.split() for line in table.splitlines()]
    assert lines[0] == ["letters", "reason", "source", "topic", "format", "first", "last"]
    assert lines[1][:4] == ["31", "malformed", INPUT, "squid"]
    assert " ".join(lines[2]) == "JSON in a topic of squid; 11 not whole"
    assert " ".join(lines[-1]) == "33 dead letters in url-events-dlq"


def test_list_keeps_to_what_is_asked_for(site: Site) -> None:
    def counted(*arguments: str) -> int:
        return sum(group["letters"] for group in site.objects("list", *arguments))

    assert counted("--reason", "not_utf8") == 1
    assert counted("--reason", "not_utf8", "--reason", "malformed") == 33
    assert counted("--partition", "1") == len(EXPIRED)
    assert counted("--topic", INPUT, "--since", "1h") == 33
    assert counted("--topic", "others") == 0
    for arguments in (("list",), ("show",), ("replay", "--since", "1h")):
        done = site.run(*arguments, "--topic", "others")
        assert done.returncode == 0
        assert done.stderr.decode() == (
            f"topic others is not among input_topics ({INPUT}): correct one of the two\n"
        )
    assert counted("--since", "0.001s") == 0
    assert "1 of 33 dead letters" in site.output("list", "--reason", "not_utf8")


def test_show_has_what_was_wrong_and_where_and_the_bytes(site: Site) -> None:
    text = site.output("show", "--reason", "not_utf8")

    head, detail, record, key, value = text.splitlines()
    assert head.startswith("url-events-dlq:")
    assert head.endswith("Z  not_utf8")
    assert detail.split(maxsplit=1) == ["detail", "binary: it has a NUL byte"]
    assert record.split(", written ")[0] == "  record    url-events:0:28, line 1"
    assert key.split() == ["key", "none"]
    assert value.split(maxsplit=1) == ["value", r"\xff\xfe\x00bad"]


def test_show_says_what_is_withheld(site: Site) -> None:
    (letter,) = site.objects("show", "--partition", "1", "--limit", "1")
    text = site.output("show", "--partition", "1", "--limit", "1")

    assert letter["withheld"] == ["queries"]
    assert letter["value"] == '{"url": "http://old2.example/?'
    assert "withheld  queries: the record in its input topic has it" in text
    assert "session" not in text


def test_show_gives_whole_bytes_as_json_and_the_newest_first(site: Site) -> None:
    letters = site.objects("show", "--limit", "100")

    values = Counter(
        base64.b64decode(letter["value_base64"])
        if letter["value"] is None
        else letter["value"].encode()
        for letter in letters
    )
    assert set(values) >= {*WHOLE, *POISON}
    assert len(letters) == 33
    assert {letter["key"] for letter in letters} == {"k", None}
    assert {letter["source"]["topic"] for letter in letters} == {INPUT}
    times = [letter["time"] for letter in letters]
    assert times == sorted(times, reverse=True)
    newest = site.objects("show", "--limit", "1")
    assert newest == letters[:1]


def test_a_detail_wider_than_the_terminal_is_wrapped_and_keeps_its_end(
    site: Site, tmp_path: Path
) -> None:
    whole = site.output("list").split()
    command = command_line(
        "dead-letters", "list", "--bootstrap-servers", site.broker.bootstrap_servers
    )
    with OnTerminal(*command, folder=tmp_path, columns=40) as terminal:
        shown = terminal.read_to_end()
        assert terminal.exit_code() == 0
    assert [word for word in whole if word not in shown] == []


def test_nothing_of_a_letter_plays_with_the_terminal(site: Site) -> None:
    for arguments in (["show", "--limit", "100"], ["show", "--limit", "100", "--json"], ["list"]):
        text = site.run(*arguments).stdout.decode()

        assert not [each for each in text if not each.isprintable() and each != "\n"]
    shown = site.output("show", "--limit", "100")
    assert r"\x1b]0;owned\x07\x1b[2J \u202e fdp.exe \r\n\x9b31m" in shown


def test_a_long_value_is_cut(site: Site) -> None:
    # Of a topic of its own, lest the others count it.
    site.broker.create_topic("long-dlq", partitions=1)
    produce(site.broker.bootstrap_servers, "long-dlq", [b"no letter " * 100], partition=0)

    text = site.output("show", "--dead-letters-topic", "long-dlq")

    assert "no reason" in text
    assert "value     1,000 bytes: no letter no" in text
    assert text.endswith("...\n")
    assert max(map(len, text.splitlines())) < 450
    done = site.run("replay", "--since", "1h", "--dead-letters-topic", "long-dlq")
    assert done.returncode == 1
    assert b"long-dlq:0:0 (): its headers do not say where it came from" in done.stdout


def test_when_the_cause_is_put_right_replay_brings_the_verdicts(site: Site) -> None:
    """The user's whole way: look, put right, try, replay; then what fails again stays out."""
    site.expire(partition=1, before=2)
    since = ("--since", "1h")

    preview = site.run("replay", *since, "--dry-run")
    assert preview.returncode == 1
    assert preview.stderr.decode().startswith("stream-detector: 2 dead letters can't be")
    lines = preview.stdout.decode().splitlines()
    assert lines[0] == "31 dead letters of url-events-dlq would be replayed"
    assert [line.split() for line in lines[1:3]] == [
        ["30", "malformed", "to", INPUT],
        ["1", "not_utf8", "to", INPUT],
    ]
    assert len([line for line in lines if "has expired, the oldest record there is 2" in line]) == 2
    assert sum(end_offsets(site.broker.bootstrap_servers, INPUT).values()) == 33, "nothing written"

    site.start_worker(MASK_QUERIES="dead_letters")  # No format: found record by record.
    tried = site.output(
        "replay", *since, "--partition", "0", "--reason", "not_utf8", "--limit", "1"
    )
    assert tried.startswith("1 dead letter of url-events-dlq replayed")
    site.wait_until_read()

    done = site.run("replay", *since)
    site.wait_until_read()
    out = done.stdout.decode()
    assert done.returncode == 1
    assert out.startswith("30 dead letters of url-events-dlq replayed\n")
    assert out.count("has expired") == 2
    assert "1  left out: they were replayed before, and failed again" in out
    assert "1  left out: they failed again after a replay (--again takes them too)" in out
    urls = [json.loads(value)["url"] for value in [*WHOLE, *WITH_QUERY, EXPIRED[2], DENIED]]
    assert site.verdicts() == Counter(urls), "each once, the queries whole"

    written = site.read(INPUT)[-31:]
    by_value = {record.value: record for record in site.read(INPUT) if record.headers}
    assert len([record for record in site.read(INPUT) if record.headers]) == 31, written
    record = by_value[WHOLE[3]]
    assert (record.partition, record.key) == (0, b"k")
    headers = dict(record.headers)
    assert headers["replay-of"].startswith(b"url-events-dlq:")
    original = next(each for each in site.read(INPUT) if each.value == WHOLE[3])
    assert int(headers["source-timestamp"]) == original.timestamp
    assert record.timestamp > original.timestamp, "expiry counts from the replay"

    failed = [letter for letter in site.objects("show", "--limit", "100") if letter["replay_of"]]
    assert len(failed) == 2
    assert "failed again after a replay" in site.output("list")
    # However often it is asked for, what failed again is not written again; nor its letter.
    third = site.output("replay", *since, "--reason", "not_utf8")
    assert third.startswith("0 dead letters of url-events-dlq replayed")
    again = site.output("replay", *since, "--reason", "not_utf8", "--again")
    assert again.startswith("1 dead letter of url-events-dlq replayed")
    site.wait_until_read()
    site.stop_worker()


def test_letters_of_other_topics_are_not_written_anywhere(site: Site) -> None:
    site.broker.create_topic("others", partitions=1)

    done = site.run("replay", "--since", "1h", "--input-topics", "others", "--reason", "malformed")

    assert done.returncode == 1
    assert b"its topic url-events is not among input_topics" in done.stdout
    assert done.stdout.startswith(b"0 dead letters of url-events-dlq replayed\n")


def test_a_record_larger_than_its_topic_takes_is_named_and_the_rest_replayed(site: Site) -> None:
    site.broker.create_topic("narrow", partitions=1, max_message_bytes="2000")
    site.broker.create_topic("narrow-dlq", partitions=1)
    headers = [("reason", b"too_large"), ("source-topic", b"narrow"), ("source-partition", b"0")]
    for offset, size in ((b"7", 10), (b"8", 5_000), (b"9", 20)):
        produce(
            site.broker.bootstrap_servers,
            "narrow-dlq",
            [b"x" * size],
            headers=[*headers, ("source-offset", offset)],
        )
    produce(
        site.broker.bootstrap_servers,
        "narrow-dlq",
        [b"x" * 10],
        headers=[*headers, ("source-offset", b"7")],
    )

    done = site.run(
        *("replay", "--since", "1h", "--dead-letters-topic", "narrow-dlq"),
        *("--input-topics", "narrow"),
    )

    assert done.returncode == 1
    assert done.stdout.startswith(b"2 dead letters of narrow-dlq replayed\n")
    assert b"narrow-dlq:0:1 (too_large): its record is larger than narrow takes" in done.stdout
    assert b"1  left out: they are of a record that another dead letter is of" in done.stdout
    assert [len(record.value or b"") for record in site.read("narrow")] == [10, 20]


def test_the_documented_consumer_prints_the_alerts(site: Site) -> None:
    """Literally, except for the address; it has no end of its own."""
    text = (ROOT / "deploy" / "operations.md").read_text(encoding="utf-8")
    start = text.index("    from kafka import KafkaConsumer")
    snippet = "\n".join(line[4:] for line in text[start:].partition("\n\n")[0].splitlines())
    assert "kafka-1:9092" in snippet
    alerts = site.read(ALERTS)
    assert alerts

    script = site.folder / "consumer.py"
    script.write_text(snippet.replace("kafka-1:9092", site.broker.bootstrap_servers))
    output = site.folder / "consumer.out"
    consumer = ChildProcess([sys.executable, "-u", str(script)], log=output)
    try:
        consumer.wait_until(
            lambda: output.read_text().count("\n") >= len(alerts), timeout=60, what="the alerts"
        )
    finally:
        consumer.kill()

    printed = [json.loads(line) for line in output.read_text().splitlines()]
    assert printed == [json.loads(alert.value or b"") for alert in alerts]
    assert printed[0]["url"]["domain"] == "mail3.example"


@pytest.mark.parametrize(
    "arguments", [["list"], ["show"], ["replay", "--since", "1h"]], ids=lambda words: words[0]
)
def test_a_topic_that_is_missing_is_named(site: Site, arguments: list[str]) -> None:
    done = site.run(*arguments, "--dead-letters-topic", "nowhere")

    assert_one_line_error(done, 1, "topic nowhere is missing", "stream-detector topics create")


@pytest.mark.parametrize(
    "arguments", [["list"], ["show"], ["replay", "--since", "1h"]], ids=lambda words: words[0]
)
def test_a_kafka_that_is_away_is_reported_in_one_line(arguments: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = run_command("dead-letters", *arguments, settings={"BOOTSTRAP_SERVERS": address})

    assert_one_line_error(done, 1, "Kafka can't be reached", address)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["replay"], ["--since"]),
        (["replay", "--since", "soon"], ["--since", "'soon'", "24h"]),
        (["list", "--reason", "odd"], ["--reason", "'odd'", "malformed"]),
        (["show", "--limit", "0"], ["--limit"]),
        (["list", "--partition", "-1"], ["--partition"]),
        (["lst"], ["'lst'", "stream-detector dead-letters --help"]),
    ],
)
def test_wrong_usage_is_reported_in_one_line(arguments: list[str], parts: list[str]) -> None:
    assert_one_line_error(run_command("dead-letters", *arguments), 2, *parts)
