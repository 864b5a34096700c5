"""What is in the store is whole, named by its content, and never overwritten."""

import hashlib
import os
from pathlib import Path

import pytest

from stream_detector.errors import BundleError, RetryableError, SettingsError
from stream_detector.models.bundle import load_bundle
from stream_detector.models.files import (
    BYTES_MAX,
    GATE_NAME,
    MANIFEST_NAME,
    SIGNATURE_NAME,
    WEIGHTS_NAME,
)
from stream_detector.models.store import ModelStore
from support.bundles import save_small_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_small_bundle(tmp_path_factory.mktemp("bundle") / "url")


@pytest.fixture
def folder(tmp_path, bundle):
    save_small_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def store(tmp_path):
    return ModelStore(str(tmp_path / "store"))


def names_in(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_what_was_put_is_fetched_as_it_was(store, folder, bundle, tmp_path):
    assert store.put(folder, "url", bundle.sha256) == "new"
    assert store.put(folder, "url", bundle.sha256) == "known"
    there = Path(store.url_of("url", bundle.sha256))
    assert names_in(there) == {MANIFEST_NAME, WEIGHTS_NAME}

    (tmp_path / "fetched").mkdir()
    store.fetch("url", bundle.sha256, tmp_path / "fetched")

    assert load_bundle(tmp_path / "fetched", kind="url").sha256 == bundle.sha256


def test_the_gates_decision_is_kept_with_a_version_and_fetched_by_no_worker(
    store, folder, bundle, tmp_path
):
    assert store.gate("url", bundle.sha256) is None
    store.put(folder, "url", bundle.sha256, gate=b"one")
    assert store.gate("url", bundle.sha256) == b"one"
    store.put(folder, "url", bundle.sha256)
    assert store.gate("url", bundle.sha256) == b"one"
    store.put_gate("url", bundle.sha256, b"another")
    assert store.gate("url", bundle.sha256) == b"another"
    assert [model.ref for model in store.versions()] == [bundle.ref]

    (tmp_path / "fetched").mkdir()
    store.fetch("url", bundle.sha256, tmp_path / "fetched")
    assert names_in(tmp_path / "fetched") == {MANIFEST_NAME, WEIGHTS_NAME}


def test_any_file_system_of_fsspec_will_do(folder, bundle, tmp_path):
    memory = "memory://models/of/tests"
    ModelStore(memory).put(folder, "url", bundle.sha256, signature=b"s" * 64)

    (model,) = ModelStore(memory).versions()
    ModelStore(memory).fetch("url", bundle.sha256, tmp_path)

    assert (model.ref, model.thresholds, model.signed) == (bundle.ref, bundle.thresholds, True)
    assert load_bundle(tmp_path).sha256 == bundle.sha256
    assert (tmp_path / SIGNATURE_NAME).read_bytes() == b"s" * 64


def test_an_upload_that_breaks_off_is_not_there_and_can_be_made_good(
    store, folder, bundle, tmp_path, monkeypatch
):
    store.put(folder, "host", "0" * 64)  # The store is there, whatever becomes of the upload.
    put_file = store._files.put_file

    def break_off(local, remote):
        put_file(local, remote)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._files, "put_file", break_off)
    with pytest.raises(RetryableError, match="No space left"):
        store.put(folder, "url", bundle.sha256)
    assert names_in(Path(store.url_of("url", bundle.sha256))) == set()
    with pytest.raises(RetryableError, match="is not in the store"):
        store.fetch("url", bundle.sha256, tmp_path)
    assert [model for model in store.versions() if model.kind == "url"] == []

    monkeypatch.undo()
    assert store.put(folder, "url", bundle.sha256) == "new"
    assert [model.ref for model in store.versions()] == [bundle.ref]


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        (MANIFEST_NAME, append, "does not have the sha256 of its version"),
        (WEIGHTS_NAME, flip, "does not match the sha256 in the manifest"),
        (WEIGHTS_NAME, lambda path: path.write_bytes(b""), "does not match the sha256"),
        (WEIGHTS_NAME, lambda path: os.truncate(path, 2**40), "is larger than"),
    ],
)
def test_a_damaged_version_is_reported_and_replaced_by_the_next_put(
    store, folder, bundle, tmp_path, name, damage, said
):
    store.put(folder, "url", bundle.sha256, signature=b"s" * 64, gate=b"one")
    there = Path(store.url_of("url", bundle.sha256))
    damage(there / name)
    with pytest.raises(BundleError, match=said):
        store.check("url", bundle.sha256)

    assert store.put(folder, "url", bundle.sha256) == "repaired"
    store.check("url", bundle.sha256)
    assert (there / WEIGHTS_NAME).read_bytes() == (folder / WEIGHTS_NAME).read_bytes()
    assert names_in(there) == {MANIFEST_NAME, WEIGHTS_NAME, SIGNATURE_NAME, GATE_NAME}
    assert store.put(folder, "url", bundle.sha256) == "known"


def test_a_version_without_its_weights_is_repaired(store, folder, bundle):
    store.put(folder, "url", bundle.sha256)
    (Path(store.url_of("url", bundle.sha256)) / WEIGHTS_NAME).unlink()
    assert store.put(folder, "url", bundle.sha256) == "repaired"
    store.check("url", bundle.sha256)


def test_what_is_removed_is_gone_with_all_that_is_said_of_it(store, folder, bundle, tmp_path):
    other = save_small_bundle(tmp_path / "other", seed=1)
    store.put(folder, "url", bundle.sha256, signature=b"s" * 64, gate=b"one")
    store.put(tmp_path / "other", "url", other.sha256)
    store.remove("url", bundle.sha256)
    assert [model.ref for model in store.versions()] == [other.ref]
    assert names_in(tmp_path / "store" / "url") == {other.sha256}


def test_a_file_far_too_large_is_refused_before_it_fills_the_disk(store, folder, bundle, tmp_path):
    store.put(folder, "url", bundle.sha256)
    manifest = Path(store.url_of("url", bundle.sha256)) / MANIFEST_NAME
    manifest.write_bytes(b" " * 1_100_000)

    with pytest.raises(BundleError, match="larger than 1048576 bytes"):
        store.fetch("url", bundle.sha256, tmp_path)


def test_versions_are_found_by_the_beginning_of_their_sha256_or_their_manifests_version(
    store, tmp_path
):
    bundles = [save_small_bundle(tmp_path / kind, kind) for kind in ("url", "host")]
    for one in bundles:
        store.put(tmp_path / one.manifest.kind, one.manifest.kind, one.sha256)

    for one in bundles:
        assert store.find(one.sha256[:10]).ref == one.ref
    with pytest.raises(BundleError, match="has more than one version '1'"):
        store.find("1")
    with pytest.raises(BundleError, match="has no version 'xyz'"):
        store.find("xyz")
    with pytest.raises(BundleError, match="has no version ''"):
        store.find("")


def test_a_store_that_is_missing_is_an_error_and_not_shown_as_empty(store):
    for ask in (store.versions, lambda: store.find("1")):
        with pytest.raises(
            RetryableError, match=r"there is no model store at .*/store yet"
        ) as told:
            ask()
        assert "`stream-trainer models publish BUNDLE` makes it" in str(told.value)


def test_a_store_that_can_not_be_listed_is_an_error(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(RetryableError, match="can't be used now"):
        ModelStore(f"{tmp_path}/store/models").versions()


def test_a_store_without_a_driver_is_a_wrong_setting():
    with pytest.raises(SettingsError, match="nosuch://models can't be used"):
        ModelStore("nosuch://models")


def test_what_is_no_file_or_too_large_is_refused_before_it_is_read(store, folder, bundle, tmp_path):
    store.put(folder, "url", bundle.sha256)
    weights = Path(store.url_of("url", bundle.sha256)) / WEIGHTS_NAME
    os.truncate(weights, BYTES_MAX[WEIGHTS_NAME] + 1)
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(BundleError, match="larger than 536870912 bytes"):
        store.fetch("url", bundle.sha256, target)
    assert names_in(target) == {MANIFEST_NAME}
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(BundleError, match="is not a file"):
        store.fetch("url", bundle.sha256, target)


@pytest.mark.parametrize("damage", ["large", "folder", "pipe"])
def test_one_damaged_version_does_not_hide_the_others(store, folder, bundle, tmp_path, damage):
    store.put(folder, "url", bundle.sha256)
    save_small_bundle(tmp_path / "other", "host")
    other = load_bundle(tmp_path / "other")
    store.put(tmp_path / "other", "host", other.sha256)
    manifest = Path(store.url_of("url", bundle.sha256)) / MANIFEST_NAME
    if damage == "large":
        os.truncate(manifest, BYTES_MAX[MANIFEST_NAME] + 1)
    else:
        manifest.unlink()
        manifest.mkdir() if damage == "folder" else os.mkfifo(manifest)
    assert [model.ref for model in store.versions()] == [other.ref]


def test_a_manifest_whose_time_has_no_zone_does_not_end_the_list_of_versions(tmp_path, caplog):
    store = ModelStore(str(tmp_path / "store"))
    bundle = save_small_bundle(tmp_path / "sound")
    store.put(tmp_path / "sound", "url", bundle.sha256)
    save_small_bundle(tmp_path / "odd", seed=1)
    path = tmp_path / "odd" / MANIFEST_NAME
    path.write_text(path.read_text().replace("2026-01-01T00:00:00Z", "2026-01-01T00:00:00"))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    store.put(tmp_path / "odd", "url", sha256)
    assert [model.ref.sha256 for model in store.versions()] == [bundle.sha256]
    assert f"{sha256} is damaged and left out" in caplog.text
