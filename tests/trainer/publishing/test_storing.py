"""Which versions of a model store may go, and which of them a rollback has withdrawn."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from stream_detector.errors import RetryableError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.kafka.announcements import Announced
from stream_detector.models.announcement import Announcement
from stream_detector.models.bundle import save_bundle
from stream_detector.models.store import ModelStore, StoredModel
from support.bundles import ARCHITECTURE, small_manifest
from trainer.publishing.storing import prunable, store_bundle, was_withdrawn

START = datetime(2026, 1, 1, tzinfo=UTC)


def sha256(number: int) -> str:
    return f"{number:064x}"


def stored(number: int, kind: Kind = "url") -> StoredModel:
    """Trained on this day of the year."""
    return StoredModel(
        ref=ModelRef("m", str(number), sha256(number)),
        kind=kind,
        created_at=START + timedelta(days=number),
        architecture="bilstm",
        thresholds=Thresholds(0.5, 0.9),
        url="",
        signed=False,
    )


def announced(number: int, *, previous: tuple[int, ...] = (), withdrawn: tuple[int, ...] = ()):
    return Announcement(
        name="m",
        kind="url",
        version=str(number),
        sha256=sha256(number),
        url="",
        thresholds=Thresholds(0.5, 0.9),
        announced_at=START,
        previous=tuple(map(sha256, previous)),
        withdrawn=tuple(map(sha256, withdrawn)),
    )


NOTHING = Announced({}, {})


def gone(now: Announced, served=(), *, keep: int = 0, day: int | None = None) -> list[str]:
    """The versions of ten that go; ``day`` is that before which they have to be trained."""
    before = None if day is None else START + timedelta(days=day)
    models = prunable(
        [stored(number) for number in range(10)], now, served, keep=keep, trained_before=before
    )
    return [model.ref.version for model in models]


def test_versions_that_are_announced_rolled_back_or_served_stay():
    now = Announced({"url": announced(1, previous=(0, 2), withdrawn=(3,))}, {"url": announced(4)})
    assert gone(now, {sha256(5)}) == ["2", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    ("keep", "day", "left"), [(0, None, 0), (3, None, 3), (10, None, 10), (99, None, 10), (3, 4, 6)]
)
def test_the_newest_stay_and_those_that_are_young(keep, day, left):
    assert gone(NOTHING, keep=keep, day=day) == [str(number) for number in range(10 - left)]


def test_the_newest_are_counted_for_each_kind():
    models = [stored(1), stored(2), stored(3, "host"), stored(4, "host")]
    found = prunable(models, NOTHING, (), keep=1, trained_before=None)
    assert [model.ref.version for model in found] == ["1", "3"]


@pytest.fixture
def withdrawn(tmp_path):
    """A store, the version of it that was rolled back, and the announcement that says so."""
    manifest = small_manifest()
    training = msgspec.structs.replace(manifest.training, identity="rows", warm_start="champion")
    manifest = msgspec.structs.replace(manifest, training=training)
    save_bundle(tmp_path / "bundle", manifest, ARCHITECTURE.initial_weights(0))
    store = ModelStore(str(tmp_path / "store"))
    model, _ = store_bundle(tmp_path / "bundle", store)
    now = msgspec.structs.replace(announced(1), withdrawn=(sha256(2), model.ref.sha256))
    return store, model, now


def test_a_model_that_was_rolled_back_is_known_by_its_rows_and_its_champion(withdrawn):
    store, _, now = withdrawn
    assert was_withdrawn(store, now, "rows", "champion")
    assert not was_withdrawn(store, now, "other rows", "champion")
    assert not was_withdrawn(store, now, "rows", "another champion")
    assert not was_withdrawn(store, announced(1), "rows", "champion")


def test_a_version_that_was_removed_from_the_store_withdraws_nothing(withdrawn):
    store, model, now = withdrawn
    store.remove(model.kind, model.ref.sha256)
    assert not was_withdrawn(store, now, "rows", "champion")


def test_a_store_that_does_not_answer_is_not_taken_for_not_withdrawn(withdrawn, tmp_path):
    _, _, now = withdrawn
    with pytest.raises(RetryableError):
        was_withdrawn(ModelStore(str(tmp_path / "unmounted")), now, "rows", "champion")
