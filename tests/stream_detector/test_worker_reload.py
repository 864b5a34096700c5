"""Models change under load: nothing is lost, every verdict names its model, bad ones stay out.

A real worker process with small bundles on a real Kafka, published as the trainer publishes.
"""

import itertools
from datetime import datetime
from pathlib import Path

import pytest

from stream_detector.models.store import ModelStore
from stream_detector.settings import Settings
from support.accounting import Sent
from support.bench import Bench
from support.bundles import save_small_bundle
from support.feed import OFTEN, Feed
from trainer.gate import force
from trainer.publishing import announced_now, promote, roll_back, store_bundle

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WAIT_SECONDS = 180


class Models:
    """Small bundles, a store, and the topic that says which is to serve."""

    def __init__(self, bootstrap_servers: str, topics, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            bootstrap_servers=[bootstrap_servers],
            model_store=str(folder / "store"),
            models_topic=topics("models", partitions=1, cleanup_policy="compact"),
        )
        self.store = ModelStore(self.settings.model_store)
        self.bundles = {
            name: save_small_bundle(folder / name, seed=seed)
            for seed, name in enumerate(["first", "second", "third"])
        }
        save_small_bundle(folder / "host", "host")

    def sha256(self, name: str) -> str:
        return self.bundles[name].sha256

    def stored(self, name: str):
        model, _ = store_bundle(self.folder / name, self.store)
        return model

    def announce(self, name: str) -> datetime:
        model = self.stored(name)
        current = announced_now(self.settings).get("url")
        because = force(model.ref, "url", current, None, "weights at random pass no gate")
        announcement = promote(self.settings, model, gate=because)
        assert announcement is not None
        return announcement.announced_at


@pytest.fixture
def models(kafka, topics, tmp_path):
    return Models(kafka.bootstrap_servers, topics, tmp_path)


@pytest.fixture
def bench(kafka, topics, tmp_path, models):
    bench = Bench(
        kafka.bootstrap_servers,
        topics,
        tmp_path,
        command=("stream_detector", "run"),
        STREAM_DETECTOR_URL_BUNDLE=str(tmp_path / "first"),
        STREAM_DETECTOR_HOST_BUNDLE=str(tmp_path / "host"),
        STREAM_DETECTOR_DEVICE="cpu",
        STREAM_DETECTOR_MODEL_STORE=models.settings.model_store,
        STREAM_DETECTOR_MODELS_TOPIC=models.settings.models_topic,
    )
    yield bench
    bench.close()


def wait_for_metric(bench: Bench, *parts: str) -> None:
    def there() -> bool:
        lines = bench.metrics().splitlines()
        return any(all(part in line for part in parts) for line in lines)

    bench.workers[-1].wait_until(there, timeout=WAIT_SECONDS, what=f"a metric with {parts}")


def wait_until_serves(bench: Bench, sha256: str) -> None:
    wait_for_metric(bench, "model_info{", f'sha256="{sha256}"', "} 1.0")


def more_verdicts(bench: Bench, count: int = 400) -> None:
    bench.wait_for_verdicts(bench.written(bench.verdicts) + count, bench.workers[-1])


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
        models.announce("third")
        wait_for_metric(bench, "model_refusals_total", 'reason="damaged"', "} 1.0")
        more_verdicts(bench)

        models.announce("first")
        wait_until_serves(bench, models.sha256("first"))
        more_verdicts(bench)
        roll_back(models.settings, models.store, "url")  # To the corrupt one, which stays out.
        wait_for_metric(bench, "model_refusals_total", 'reason="damaged"', "} 2.0")
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
    assert len(refusals) == 2
    assert "does not match the sha256" in refusals[0]


@pytest.mark.timeout(600)
def test_a_worker_starts_with_what_is_announced_or_else_with_its_own_bundle(bench, models):
    models.announce("second")
    bench.account.send([Sent(OFTEN, 1)])
    worker = bench.start_worker()
    wait_until_serves(bench, models.sha256("second"))
    bench.wait_until_committed(worker)
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
