"""Announced models are taken or refused, each for its reason; the served model stays."""

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from stream_detector.canonical import CANONICAL_FORM_VERSION
from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.files import MANIFEST_NAME, WEIGHTS_NAME
from stream_detector.models.signing import new_key, sign
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from stream_detector.worker.model_following import ModelFollower
from stream_detector.worker.model_loading import load_announced
from support.bundles import save_small_bundle
from support.loads import Loads, SwitchedScorer


def announced(bundle, **changes) -> Announcement:
    announcement = Announcement(
        name=bundle.manifest.name,
        kind=bundle.manifest.kind,
        version=bundle.manifest.version,
        sha256=bundle.sha256,
        url="",
        thresholds=bundle.thresholds,
        announced_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return msgspec.structs.replace(announcement, **changes)


@pytest.fixture
def settings(tmp_path):
    return Settings(model_store=str(tmp_path / "store"), device="cpu")


@pytest.fixture
def stored(tmp_path, settings):
    """A small bundle in the store."""
    bundle = save_small_bundle(tmp_path / "url", seed=1)
    ModelStore(settings.model_store).put(tmp_path / "url", "url", bundle.sha256)
    return bundle


def refusal(announcement, settings) -> tuple[RefusalReason, str]:
    with pytest.raises(RefusedModelError) as caught:
        load_announced(announcement, settings, threading.Event())
    assert "\n" not in str(caught.value)
    return caught.value.reason, str(caught.value)


# --- what is refused ------------------------------------------------------------------------


def test_a_sound_model_comes_warm(stored, settings):
    network = load_announced(announced(stored), settings, threading.Event())

    assert network.served.ref == stored.ref
    traced = network.run.experimental_get_tracing_count()
    network.score(["a.example"] * 1500)
    assert network.run.experimental_get_tracing_count() == traced >= 3


def test_a_model_that_is_not_there_is_unavailable(stored, settings):
    reason, message = refusal(announced(stored, sha256="0" * 64), settings)

    assert reason is RefusalReason.UNAVAILABLE
    assert message.startswith("url model small-url 1: ")


@pytest.mark.parametrize("name", [MANIFEST_NAME, WEIGHTS_NAME])
def test_a_flipped_bit_anywhere_is_damage(stored, settings, tmp_path, name):
    path = tmp_path / "store" / "url" / stored.sha256 / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    assert refusal(announced(stored), settings)[0] is RefusalReason.DAMAGED


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "transformer"}, {"canonical_form_version": CANONICAL_FORM_VERSION + 1}],
    ids=str,
)
def test_a_model_for_other_code_is_incompatible(stored, settings, tmp_path, changes):
    # As another version of the program would have written it: its manifest is sound there.
    manifest = msgspec.structs.replace(stored.manifest, **changes)
    (tmp_path / "url" / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))
    sha256 = hashlib.sha256((tmp_path / "url" / MANIFEST_NAME).read_bytes()).hexdigest()
    ModelStore(settings.model_store).put(tmp_path / "url", "url", sha256)

    reason, _ = refusal(announced(stored, sha256=sha256), settings)
    assert reason is RefusalReason.INCOMPATIBLE


def test_a_model_of_the_other_kind_is_refused(stored, settings, tmp_path):
    ModelStore(settings.model_store).put(tmp_path / "url", "host", stored.sha256)

    reason, _ = refusal(announced(stored, kind="host"), settings)
    assert reason is RefusalReason.WRONG_KIND


def test_an_announcement_that_contradicts_the_manifest_is_malformed(stored, settings):
    assert refusal(announced(stored, version="2"), settings)[0] is RefusalReason.MALFORMED


def test_thresholds_that_contradict_the_settings_are_refused(stored, settings):
    settings = settings.model_copy(update={"url_malicious_threshold": 0.5})

    reason, message = refusal(announced(stored), settings)

    assert reason is RefusalReason.THRESHOLDS
    assert "url_malicious_threshold" in message


def test_a_model_without_a_sound_score_is_refused(stored, settings, monkeypatch):
    # Finite weights seldom give NaN on every machine alike.
    monkeypatch.setattr(
        "stream_detector.models.scorer.Network.score",
        lambda self, texts: np.full(len(texts), np.nan, np.float32),
    )

    reason, message = refusal(announced(stored), settings)

    assert reason is RefusalReason.FAILED
    assert "is nan" in message


def test_with_a_public_key_only_signed_models_are_taken(stored, settings, tmp_path):
    store = ModelStore(settings.model_store)
    manifest = (tmp_path / "url" / MANIFEST_NAME).read_bytes()
    public_key = new_key(tmp_path / "models.key")
    new_key(tmp_path / "other.key")
    settings = settings.model_copy(update={"model_public_key": public_key})
    assert refusal(announced(stored), settings)[0] is RefusalReason.SIGNATURE

    by_another = sign(manifest, tmp_path / "other.key")
    store.put(tmp_path / "url", "url", stored.sha256, signature=by_another)
    assert refusal(announced(stored), settings)[0] is RefusalReason.SIGNATURE

    ours = sign(manifest, tmp_path / "models.key")
    store.put(tmp_path / "url", "url", stored.sha256, signature=ours)
    network = load_announced(announced(stored), settings, threading.Event())
    assert network.served.ref == stored.ref


def test_a_load_that_was_given_up_does_not_compile(stored, settings):
    expired = threading.Event()
    expired.set()

    with pytest.raises(RefusedModelError) as caught:
        load_announced(announced(stored), settings, expired)
    assert caught.value.reason is RefusalReason.TOO_SLOW


# --- following ------------------------------------------------------------------------------


class Following(Loads):
    """A follower at work, whose loads the test lets go on or fail."""

    def __init__(self, current: Announcement, **settings) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.scorer = SwitchedScorer(current)
        self.metrics.show_model(current.kind, self.scorer.models[current.kind])
        self.now = 0.0
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self.follower = ModelFollower(
            self.scorer,
            settings=Settings(model_store="unused", **settings),
            metrics=self.metrics,
            executor=self._executor,
            load=self.load,
            clock=lambda: self.now,
        )

    async def __aenter__(self):
        self._task = asyncio.create_task(self.follower.run())
        return self

    async def __aexit__(self, *_):
        self.go_on.set()
        self._task.cancel()
        await asyncio.wait({self._task})
        self._executor.shutdown()

    async def until(self, condition) -> None:
        async with asyncio.timeout(30):
            while not condition():
                assert not self._task.done(), self._task
                await asyncio.sleep(0.01)

    def serving(self) -> str:
        return self.scorer.models["url"].ref.version

    def refusals(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "stream_detector_model_refusals_total", {"reason": reason}
        )
        return value or 0.0


@pytest.fixture
def versions(stored):
    return [announced(stored, version=str(n), sha256=f"{n:064x}") for n in range(4)]


async def test_a_switch_happens_in_the_scorers_thread_and_metrics_follow(versions):
    async with Following(versions[0]) as following:
        following.follower.offer(versions[1])
        await following.until(lambda: following.serving() == "1")

        def info(version):
            labels = {"kind": "url", "name": "small-url", "version": str(version)}
            labels["sha256"] = versions[version].sha256
            return following.metrics.registry.get_sample_value("stream_detector_model_info", labels)

        await following.until(lambda: info(1) == 1.0)
        assert info(0) is None
        assert [name.rpartition("_")[0] for name in following.scorer.threads] == ["scorer"]


async def test_a_model_that_serves_already_is_not_loaded(versions):
    async with Following(versions[0]) as following:
        following.follower.offer(versions[0])
        following.follower.offer(msgspec.structs.replace(versions[0], previous=("0" * 64,)))
        await following.until(lambda: not following.follower._wanted)
        assert following.loaded == []


async def test_a_model_superseded_while_it_warms_up_never_serves(versions):
    async with Following(versions[0]) as following:
        following.go_on.clear()
        following.follower.offer(versions[1])
        await following.until(lambda: following.loaded == ["1"])
        following.follower.offer(versions[2])
        following.follower.offer(versions[3])
        following.go_on.set()
        await following.until(lambda: following.serving() == "3")
        assert following.loaded == ["1", "3"]
        assert len(following.scorer.threads) == 1


async def test_a_refused_model_is_logged_once_and_the_next_one_serves(versions, caplog):
    async with Following(versions[0]) as following:
        following.faults.append(RefusalReason.DAMAGED)
        following.follower.offer(versions[1])
        await following.until(lambda: following.refusals("damaged") == 1)
        assert following.serving() == "0"
        following.follower.offer(versions[2])
        await following.until(lambda: following.serving() == "2")
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "announced model refused (damaged), the served model stays: told to fail"
    ]


async def test_a_model_that_the_store_lacks_is_tried_again_and_logged_once(versions, caplog):
    async with Following(versions[0]) as following:
        following.faults += [RefusalReason.UNAVAILABLE] * 2
        following.follower.offer(versions[1])
        await following.until(lambda: following.refusals("unavailable") == 1)
        following.now = 3.0
        following.follower._offered.set()  # Instead of the 2 s that the event loop would wait.
        await following.until(lambda: following.refusals("unavailable") == 2)
        following.follower._offered.set()  # Not due yet: the pause has doubled.
        await asyncio.sleep(0.05)
        assert following.loaded == ["1", "1"]
        following.now = 60.0
        following.follower._offered.set()
        await following.until(lambda: following.serving() == "1")
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


async def test_a_model_too_slow_is_refused_and_the_next_one_is_taken(versions):
    async with Following(versions[0], model_load_timeout=0.05) as following:
        following.go_on.clear()
        following.follower.offer(versions[1])
        await following.until(lambda: following.refusals("too_slow") == 1)
        following.go_on.set()
        following.follower.offer(versions[2])
        await following.until(lambda: following.serving() == "2")
        assert len(following.scorer.threads) == 1
