"""Models change under load: nothing is lost, every verdict names its model, bad ones stay out.

A real worker process with small bundles on a real Kafka, published as the trainer publishes.
"""

import itertools
from datetime import datetime
from pathlib import Path

import pytest

from stream_detector.errors import BundleError
from support.accounting import Sent
from support.announced import (
    Models,
    bench_following,
    more_verdicts,
    wait_for_metric,
    wait_until_serves,
)
from support.feed import OFTEN, Feed
from trainer.publishing.promotion import roll_back

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def models(kafka, topics, tmp_path):
    return Models(kafka.bootstrap_servers, topics, tmp_path)


@pytest.fixture
def bench(topics, models):
    with bench_following(models, topics) as bench:
        yield bench


@pytest.mark.timeout(600)
def test_models_switch_under_load_and_a_corrupt_one_is_refused(bench, models):
    worker = bench.start_worker()
    with Feed(bench):
        more_verdicts(bench)
        announced_at = models.announce("second")
        wait_until_serves(bench, models.sha256("second"))
        assert f'sha256="{models.sha256("first")}"' not in bench.metrics()
        more_verdicts(bench)

        weights = Path(models.stored("third").url) / "weights.safetensors"
        damaged = bytearray(weights.read_bytes())
        damaged[-1] ^= 1
        weights.write_bytes(damaged)
        with pytest.raises(BundleError, match="no worker would take it"):
            models.announce("third")
        models.announce_unchecked("third")
        wait_for_metric(bench, "model_refusals_total", 'reason="damaged"', "} 1.0")
        more_verdicts(bench)

        models.announce("first")
        wait_until_serves(bench, models.sha256("first"))
        more_verdicts(bench)
        with pytest.raises(BundleError, match="no worker would take it"):
            roll_back(models.settings, models.store, "url")
        models.announce("second")
        models.announce("first")
        roll_back(models.settings, models.store, "url")
        wait_until_serves(bench, models.sha256("second"))
        more_verdicts(bench)
    bench.wait_until_committed(worker)
    assert worker.stop() == 0

    outputs = bench.prove()
    assert all(len(copies) == 1 for copies in outputs.verdicts.values())
    verdicts = [copies[0] for copies in outputs.verdicts.values()]
    first, second = models.sha256("first"), models.sha256("second")
    by_partition = sorted(verdicts, key=lambda v: (v["source"]["partition"], v["source"]["offset"]))
    for _, group in itertools.groupby(by_partition, key=lambda v: v["source"]["partition"]):
        runs = [sha256 for sha256, _ in itertools.groupby(v["model"]["sha256"] for v in group)]
        assert runs == [first, second, first, second]
    # While the second one warmed up the first went on.
    assert any(
        v["model"]["sha256"] == first and datetime.fromisoformat(v["detected_at"]) > announced_at
        for v in verdicts
    )
    # What was remembered of one model is not said in the name of another.
    often = {
        (v["model"]["sha256"], v["score"]) for v in verdicts if v["observed"] == OFTEN.decode()
    }
    assert len(often) == 2
    refusals = [line for line in worker.log.read_text().splitlines() if "refused" in line]
    assert len(refusals) == 1
    assert "does not match the sha256" in refusals[0]


@pytest.mark.timeout(600)
def test_a_worker_starts_with_the_announced_model_or_else_with_its_own_bundle(bench, models):
    models.announce("second")
    bench.account.send([Sent(OFTEN, 1)])
    worker = bench.start_worker()
    wait_until_serves(bench, models.sha256("second"))
    bench.wait_until_committed(worker)
    unsigned = [line for line in worker.log.read_text().splitlines() if "model_public_key" in line]
    assert len(unsigned) == 1
    assert f"whoever may WRITE topic {models.settings.models_topic} decides" in unsigned[0]
    assert worker.stop() == 0

    store, away = Path(models.settings.model_store), models.folder / "away"
    store.rename(away)
    bench.account.send([Sent(OFTEN, 1)])
    worker = bench.start_worker()
    wait_until_serves(bench, models.sha256("first"))
    wait_for_metric(bench, "model_refusals_total", 'reason="unavailable"')
    bench.wait_until_committed(worker)
    away.rename(store)
    wait_until_serves(bench, models.sha256("second"))
    bench.account.send([Sent(OFTEN, 1)])
    bench.wait_until_committed(worker)
    assert worker.stop() == 0

    outputs = bench.prove()
    by_time = sorted((v for copies in outputs.verdicts.values() for v in copies), key=detected)
    first, second = models.sha256("first"), models.sha256("second")
    assert [v["model"]["sha256"] for v in by_time] == [second, first, second]


def detected(verdict: dict[str, object]) -> str:
    return str(verdict["detected_at"])
