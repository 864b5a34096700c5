"""Bundles damaged on disk, and saving that fails on the way: an error that says so, no loss."""

import hashlib
import json
import resource
from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import BundleError
from stream_detector.models import bundle
from stream_detector.models.bundle import load_bundle
from support.bundles import save_small_bundle

SAFETENSORS_OF_BFLOAT16 = (
    b'{"embedding":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'.ljust(64) + b"\0\0"
)


@pytest.fixture
def folder(tmp_path):
    save_small_bundle(tmp_path / "url")
    return tmp_path / "url"


def test_a_manifest_that_is_not_utf_8_is_refused(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"small-url", b"small-\xff"))
    with pytest.raises(BundleError, match="is not a manifest"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        b"\x80\x04K\x01.",
        (64).to_bytes(8, "little") + SAFETENSORS_OF_BFLOAT16,
    ],
    ids=["empty", "too large a header", "pickle", "a type that numpy has not"],
)
def test_weights_that_cannot_be_read_are_refused_even_where_the_sha256_agrees(folder, content):
    (folder / "weights.safetensors").write_bytes(content)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["weights.safetensors"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"weights\.safetensors is not a safetensors file"):
        load_bundle(folder)


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    weights = folder / "weights.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"weights\.safetensors is a link"):
        load_bundle(folder)


def assert_only(before, folder):
    after = load_bundle(folder)
    assert after.sha256 == before.sha256
    for name, value in before.weights.items():
        assert np.array_equal(after.weights[name], value)
    assert [path.name for path in folder.parent.iterdir()] == ["url"]


@pytest.mark.parametrize("bytes_left", [0, 100, 3000])
def test_the_old_bundle_stays_where_the_disk_takes_part_of_the_new_one(folder, bytes_left):
    before = load_bundle(folder)
    assert (folder / "weights.safetensors").stat().st_size > bytes_left
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_small_bundle(folder, seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_only(before, folder)


def test_the_old_bundle_is_put_back_where_the_new_one_cannot_take_its_place(folder, monkeypatch):
    before = load_bundle(folder)
    rename = Path.rename

    def refuse_the_draft(path, target):
        if target == folder and "previous" not in path.name:
            raise OSError("refused")
        return rename(path, target)

    monkeypatch.setattr(bundle, "_exchanged", lambda *_: False)
    # A rename that fails after the one before it went well cannot be had from a real disk.
    monkeypatch.setattr(Path, "rename", refuse_the_draft)
    with pytest.raises(OSError, match="refused"):
        save_small_bundle(folder, seed=2)
    assert_only(before, folder)
