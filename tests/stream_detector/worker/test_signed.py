"""Who may write to url-models, and has no key, changes nothing at a worker with a public key.

A real worker on a real Kafka: each attack is one record, refused in one line while verdicts go on.
"""

import asyncio
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from confluent_kafka import Producer

from stream_detector.kafka.announcements import announce
from stream_detector.models.announcement import Announcement, decode_announcement
from stream_detector.models.signing import new_key
from support.announced import (
    Models,
    bench_following,
    more_verdicts,
    wait_for_metric,
    wait_until_serves,
)
from support.feed import Feed
from support.records import Record, read_all
from trainer.publishing.promotion import announce_shadow, roll_back

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ANSWER_SECONDS_MAX = 3.0
"""Of /healthz on a busy machine; the attack by a long name kept it silent for more than ten."""


@pytest.fixture
def models(kafka, topics, tmp_path):
    new_key(tmp_path / "models.key")
    return Models(kafka.bootstrap_servers, topics, tmp_path, signing_key=tmp_path / "models.key")


@pytest.fixture
def bench(topics, models):
    public_key = str(models.folder / "models.key.pub")
    with bench_following(models, topics, STREAM_DETECTOR_MODEL_PUBLIC_KEY=public_key) as bench:
        yield bench


class Attacker:
    """Writes to the topic of announcements, and has no key."""

    def __init__(self, bench, models) -> None:
        self._bench, self._topic = bench, models.settings.models_topic
        self._producer = Producer({"bootstrap.servers": bench.bootstrap_servers})
        self.refused: Counter[str] = Counter()
        """By reason, what the worker is to refuse."""

    def overheard(self) -> list[Record]:
        """What the trainer has announced."""
        return read_all(self._bench.bootstrap_servers, self._topic)

    def write(self, key, value, headers, *, refused_as: str) -> None:
        """One record, which the worker is to refuse."""
        self.send(key, value, headers)
        self.refused[refused_as] += 1

    def send(self, key, value, headers) -> None:
        """One record."""
        self._producer.produce(self._topic, value, key=key, headers=list(headers or []))
        assert self._producer.flush(60) == 0

    def wait_until_refused(self) -> None:
        """Until the worker has refused all that it is to refuse."""
        for reason, number in self.refused.items():
            wait_for_metric(
                self._bench, "model_refusals_total", f'reason="{reason}"', f"}} {float(number)}"
            )


def refusals(worker) -> list[str]:
    return [line for line in worker.log.read_text().splitlines() if "model refused" in line]


def assert_answers(bench) -> None:
    started = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{bench.ports[-1]}/healthz", timeout=60):
        pass
    assert time.monotonic() - started < ANSWER_SECONDS_MAX


@pytest.mark.timeout(600)
def test_unsigned_and_repeated_announcements_are_refused_and_verdicts_continue(bench, models):
    worker, attacker = bench.start_worker(), Attacker(bench, models)
    first, second, third = (models.sha256(name) for name in ("first", "second", "third"))
    with Feed(bench):
        models.announce("second")
        wait_until_serves(bench, second)
        announce_shadow(
            models.settings, models.stored("third"), 0.5, signing_key=models.signing_key
        )
        wait_for_metric(bench, "shadow_info{", f'sha256="{third}"', "} 1.0")
        older, shadow = attacker.overheard()
        models.announce("first")
        wait_until_serves(bench, first)
        newer = attacker.overheard()[-1]

        attacker.write(older.key, older.value, older.headers, refused_as="outdated")
        as_serving = shadow.value.replace(b'"shadow"', b'"serve"')
        attacker.write(b"url", as_serving, shadow.headers, refused_as="signature")
        lower = newer.value.replace(b"0.6", b"0.1")
        assert lower != newer.value
        attacker.write(b"url", lower, newer.headers, refused_as="signature")
        attacker.write(b"url", older.value, None, refused_as="signature")
        attacker.write(b"url", None, None, refused_as="signature")
        attacker.write(b"shadow/url", None, None, refused_as="signature")
        attacker.write(b"url", b"x" * 900_000, None, refused_as="signature")
        # Whoever holds the key and a store can still write nonsense.
        for name, version in (("a" * 60_000 + " ?", "1"), ("a", "a" * 300_000)):
            asyncio.run(
                announce(
                    models.settings,
                    announcement_of(newer, name=name, version=version),
                    signing_key=models.signing_key,
                )
            )
            attacker.refused["malformed"] += 1
            assert_answers(bench)
        attacker.wait_until_refused()
        assert_answers(bench)
        wait_until_serves(bench, first)
        wait_for_metric(bench, "shadow_info{", f'sha256="{third}"', "} 1.0")
        more_verdicts(bench)

        roll_back(models.settings, models.store, "url", signing_key=models.signing_key)
        wait_until_serves(bench, second)
        more_verdicts(bench)
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    told = refusals(worker)
    assert len(told) == attacker.refused.total()
    assert all(len(line) < 1000 for line in told)
    bench.prove()

    # The last record of the topic is what a worker without a memory would take.
    attacker.send(newer.key, newer.value, newer.headers)
    worker = bench.start_worker()
    wait_until_serves(bench, second)
    wait_for_metric(bench, "model_refusals_total", 'reason="outdated"', "} 2.0")
    assert "older than one that was accepted before" in refusals(worker)[-1]
    assert_answers(bench)
    assert bench.workers[-1].stop() == 0


def announcement_of(record: Record, **changes: str) -> Announcement:
    announcement = decode_announcement(record.key, record.value)
    assert isinstance(announcement, Announcement)
    return msgspec.structs.replace(announcement, announced_at=datetime.now(UTC), **changes)
