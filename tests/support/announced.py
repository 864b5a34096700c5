"""Models that are announced to a worker, for tests of what it does then."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stream_detector.errors import BundleError, RetryableError
from stream_detector.kafka.announcements import announce
from stream_detector.models.announcement import Announcement
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.settings.fields import Settings
from support.bench import Bench
from support.bundles import save_small_bundle
from trainer.gate.admission import force
from trainer.publishing.promotion import announced_now, promote, reigning_model
from trainer.publishing.storing import store_bundle

__all__ = [
    "Models",
    "bench_following",
    "more_verdicts",
    "wait_for_metric",
    "wait_until_serves",
]

WAIT_SECONDS = 180


class Models:
    """Small bundles, a store, and the topic that says which is to serve."""

    def __init__(
        self, bootstrap_servers: str, topics, folder: Path, *, signing_key: Path | None = None
    ) -> None:
        self.folder = folder
        self.signing_key = signing_key
        self.settings = Settings(
            bootstrap_servers=[bootstrap_servers],
            model_store=str(folder / "store"),
            url_bundle=folder / "first",
            host_bundle=folder / "host",
            models_topic=topics("models", partitions=1, cleanup_policy="compact"),
            shadow_topic=topics("shadow"),
        )
        self.store = ModelStore(self.settings.model_store)
        self.bundles = {
            name: save_small_bundle(folder / name, seed=seed)
            for seed, name in enumerate(["first", "second", "third"])
        }
        save_small_bundle(folder / "host", "host")

    def sha256(self, name: str) -> str:
        """Of the bundle called ``name``."""
        return self.bundles[name].sha256

    def stored(self, name: str) -> StoredModel:
        """That bundle as the store has it; put there first if it was not."""
        try:
            return self.store.find(self.sha256(name))  # To put it again would repair it.
        except (BundleError, RetryableError):
            model, _ = store_bundle(self.folder / name, self.store, signing_key=self.signing_key)
            return model

    def announce(self, name: str) -> datetime:
        """Store it and have it serve, past the gate; returns when that was announced."""
        model = self.stored(name)
        current = announced_now(self.settings, signing_key=self.signing_key).serving.get("url")
        reigning = reigning_model(self.settings, "url", current)
        because = force(model.ref, reigning, None, "weights at random pass no gate")
        return promote(
            self.settings, model, gate=because, signing_key=self.signing_key
        ).announced_at

    def announce_unchecked(self, name: str) -> None:
        """Announce what lies in the store, whatever it is by now, as no command of ours would."""
        current, bundle = announced_now(self.settings).serving["url"], self.bundles[name]
        announcement = Announcement(
            name=bundle.ref.name,
            kind="url",
            version=bundle.ref.version,
            sha256=bundle.sha256,
            url=self.store.url_of("url", bundle.sha256),
            thresholds=bundle.thresholds,
            announced_at=datetime.now(UTC),
            previous=(current.sha256, *current.previous),
        )
        asyncio.run(announce(self.settings, announcement))


@contextmanager
def bench_following(models: Models, topics, **environment: str) -> Iterator[Bench]:
    """Workers that serve the first bundle until another one is announced.

    ``environment`` is added to theirs.
    """
    settings = models.settings
    bench = Bench(
        settings.bootstrap_servers[0],
        topics,
        models.folder,
        command=("stream_detector", "run"),
        STREAM_DETECTOR_URL_BUNDLE=str(models.folder / "first"),
        STREAM_DETECTOR_HOST_BUNDLE=str(models.folder / "host"),
        STREAM_DETECTOR_DEVICE="cpu",
        STREAM_DETECTOR_MODEL_STORE=settings.model_store,
        STREAM_DETECTOR_MODELS_TOPIC=settings.models_topic,
        STREAM_DETECTOR_SHADOW_TOPIC=settings.shadow_topic,
        **environment,
    )
    try:
        yield bench
    finally:
        bench.close()


def wait_for_metric(bench: Bench, *parts: str) -> None:
    """Until a line of the newest worker's /metrics holds all ``parts``; fails if it ends first."""

    def there() -> bool:
        lines = bench.metrics().splitlines()
        return any(all(part in line for part in parts) for line in lines)

    bench.workers[-1].wait_until(there, timeout=WAIT_SECONDS, what=f"a metric with {parts}")


def wait_until_serves(bench: Bench, sha256: str) -> None:
    """Until the newest worker shows this bundle as the one that serves."""
    wait_for_metric(bench, "detector_model_info{", f'sha256="{sha256}"', "} 1.0")


def more_verdicts(bench: Bench, count: int = 400) -> None:
    """Until the workers have written ``count`` verdicts more than now."""
    bench.wait_for_verdicts(bench.written(bench.verdicts) + count, bench.workers[-1])
