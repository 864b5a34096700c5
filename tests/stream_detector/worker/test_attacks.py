"""What one who can write records does to a worker with its own models and default limits.

All attacks come to one partition, ordinary records to the one beside it. Each record of both has to
become verdicts or a dead letter, in bounded memory, and the worker goes on.
"""

import json
import time
from collections import Counter, defaultdict
from datetime import datetime

import pytest
from kafka import KafkaProducer

from stream_detector.limits import LETTER_VALUE_BYTES_MAX, RECORD_LINES_MAX
from support.bench import Bench
from support.commands import run_command
from support.memory import peak_bytes
from support.records import (
    NotUtf8,
    last_record,
    produce,
    produce_batch,
    read_all,
)

ATTACKED, ORDINARY = 0, 1
MEMORY_BYTES_MAX = 1_500_000_000

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def queries(count: int) -> bytes:
    """A Suricata record of so many names asked for."""
    names = b",".join([b'{"rrname":"a.b"}'] * count)
    return b'{"event_type":"dns","flow_id":1,"dns":{"type":"request","queries":[%s]}}' % names


QUOTES_MASKED = b'"' * 7_000_000
QUOTES_UNREAD = b'"' * 12_000_000
NESTED_LOGINS = b"\n".join([b"http://e.com/" + b":@/" * 21_829] * 15)
MANY_NAMES = queries(45_000)
NAMES = 9_000
"""Of a record that is not refused."""

SLOWEST = [NESTED_LOGINS] * 240
BATCHES = [
    [QUOTES_MASKED],
    [QUOTES_UNREAD],
    SLOWEST,
    *[[NESTED_LOGINS]] * 4,
    [MANY_NAMES] * 4,
    [queries(NAMES)] * 12,
]
"""Each is one record batch, of a few KB when it is compressed."""
ORDINARY_VALUES = [b"http://ordinary%d.example/" % number for number in range(300)]


class Attacked:
    """A worker that has read all attacks, and what came of them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        servers = bench.bootstrap_servers
        self.worker = bench.start_worker()
        self.values = [value for values in BATCHES for value in values]
        self.positions = []
        for values in BATCHES:
            self.positions += produce_batch(servers, bench.input, values, partition=ATTACKED)
            if values is SLOWEST:
                self.written = time.time()
                produce(servers, bench.input, ORDINARY_VALUES, partition=ORDINARY)
        producer = KafkaProducer(bootstrap_servers=servers)
        sent = producer.send(
            bench.input, b"http://named.example/", headers=[(NotUtf8("h"), b"")], partition=ATTACKED
        )
        self.named = ATTACKED, sent.get(60).offset
        producer.close()
        bench.wait_until_committed(self.worker)
        self.peak = peak_bytes(self.worker.pid)
        self.verdicts = defaultdict(Counter)
        self.decided = defaultdict(float)
        for record in read_all(servers, bench.verdicts):
            verdict = json.loads(record.value)
            source = verdict["source"]
            place, at = (source["partition"], source["offset"]), verdict["detected_at"]
            self.verdicts[place][source["index"]] += 1
            at = datetime.fromisoformat(at).timestamp()
            self.decided[place[0]] = max(self.decided[place[0]], at)
        self.letters = defaultdict(list)
        for record in read_all(servers, bench.dead_letters):
            headers = dict(record.headers)
            place = int(headers["source-partition"]), int(headers["source-offset"])
            self.letters[place].append((record, headers))

    def of(self, value: bytes):
        """The verdicts' counts and the dead letters of each record that is ``value``."""
        for position, sent in zip(self.positions, self.values, strict=True):
            if sent is value:
                yield self.verdicts[position], self.letters[position]


@pytest.fixture(scope="module")
def attacked(kafka, session_topics, tmp_path_factory):
    bench = Bench(
        kafka.bootstrap_servers,
        session_topics,
        tmp_path_factory.mktemp("attacked"),
        command=("stream_detector", "run"),
        STREAM_DETECTOR_BATCH_RECORDS="4096",
        # With Kafka's own limit of a message.
        STREAM_DETECTOR_DEAD_LETTERS_TOPIC=(letters := session_topics("letters", partitions=1)),
        STREAM_DETECTOR_DEVICE="cpu",
    )
    bench.dead_letters = letters
    try:
        yield Attacked(bench)
    finally:
        bench.close()


@pytest.mark.timeout(400)
def test_memory_is_bounded_whatever_one_writes(attacked):
    assert attacked.peak < MEMORY_BYTES_MAX


def test_every_record_becomes_verdicts_or_a_dead_letter_once(attacked):
    for position in attacked.positions:
        verdicts, letters = attacked.verdicts[position], attacked.letters[position]
        assert len(letters) == (not verdicts), position
        assert set(verdicts.values()) <= {1}, position


def test_the_other_partition_is_not_held_up(attacked):
    ordinary = [place for place in attacked.verdicts if place[0] == ORDINARY]
    assert len(ordinary) == len(ORDINARY_VALUES)
    waited = attacked.decided[ORDINARY] - attacked.written
    print(f"{waited:.1f} s; {attacked.peak:,} bytes")
    assert waited < 30
    assert attacked.decided[ORDINARY] < attacked.decided[ATTACKED]


def test_a_record_that_cannot_be_read_is_cut_before_it_is_masked(attacked):
    ((_, [(letter, headers)]),) = attacked.of(QUOTES_MASKED)
    assert letter.value == b'"' * LETTER_VALUE_BYTES_MAX
    assert headers["reason"] == b"too_large"
    assert headers["truncated-from-bytes"] == b"7000000"


def test_a_record_that_is_not_decompressed_is_a_dead_letter_without_contents(attacked):
    ((_, [(letter, headers)]),) = attacked.of(QUOTES_UNREAD)
    assert (letter.key, letter.value) == (None, None)
    assert (headers["reason"], headers["withheld"]) == (b"too_large", b"contents")
    assert b"not decompressed" in headers["detail"]


def test_a_record_whose_header_name_is_not_utf_8_gets_its_verdict(attacked):
    assert attacked.verdicts[attacked.named] == {0: 1}


def test_urls_that_are_slow_to_mask_and_to_publish_do_not_hold_a_partition_up(attacked):
    results = list(attacked.of(NESTED_LOGINS))
    read = [verdicts for verdicts, _ in results if verdicts]
    assert len(read) == 8 + 4  # of the first batch what 8 MB hold
    assert all(sorted(verdicts) == list(range(15)) for verdicts in read)


def test_a_record_of_too_many_names_is_a_dead_letter_of_its_own_reason(attacked):
    for _, [(letter, headers)] in attacked.of(MANY_NAMES):
        assert headers["reason"] == b"too_many"
        assert headers["detail"] == (b"45000 URLs or hosts, more than %d" % RECORD_LINES_MAX)
        assert letter.value == MANY_NAMES[:LETTER_VALUE_BYTES_MAX]


def test_a_record_of_as_many_names_as_allowed_gets_all_its_verdicts(attacked):
    assert {len(verdicts) for verdicts, _ in attacked.of(BATCHES[-1][0])} == {NAMES}


def test_a_cut_dead_letter_is_replayed_whole_from_the_input_topic(attacked):
    bench = attacked.bench
    done = run_command(
        *("dead-letters", "replay", "--since", "1h", "--reason", "too_many", "--limit", "1"),
        settings={
            "BOOTSTRAP_SERVERS": bench.bootstrap_servers,
            "INPUT_TOPICS": bench.input,
            "DEAD_LETTERS_TOPIC": bench.dead_letters,
        },
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"1 dead letter of ")
    newest = last_record(bench.bootstrap_servers, bench.input, ATTACKED)
    assert newest.value == MANY_NAMES
    assert "replay-of" in dict(newest.headers)


def test_the_worker_still_works_and_stops_in_order(attacked):
    bench = attacked.bench
    produce(bench.bootstrap_servers, bench.input, [b"http://last.example/"], partition=ATTACKED)
    bench.wait_until_committed(attacked.worker)
    assert attacked.worker.stop() == 0
