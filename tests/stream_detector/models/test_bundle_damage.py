"""Bundles damaged on disk, and saving that fails on the way: an error that says so, no loss."""

import hashlib
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from stream_detector.errors import BundleError
from stream_detector.models.bundle import load_bundle
from stream_detector.models.manifest import kind_of_bundle
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


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_a_pipe_is_refused_and_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(BundleError, match=f"{name} is not a file"):
        load_bundle(folder)


def test_the_kind_is_read_of_a_regular_manifest_alone(folder):
    path = folder / "manifest.json"
    # What is not looked at is parsed all the same.
    deep = b'{"kind": "url", "extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(deep)
    with pytest.raises(BundleError, match="is not a manifest"):
        kind_of_bundle(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BundleError, match="is not a file"):
        kind_of_bundle(folder)


def test_a_folder_that_no_name_can_have_is_refused():
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(Path("bundles/\0url"))


@pytest.mark.parametrize("place", ["extra", "parameters", "architecture"])
def test_what_a_manifest_says_of_itself_is_one_short_line_of_an_error(folder, place):
    path, forged = folder / "manifest.json", "\x1b[2J\nINFO all is well" * 1000
    manifest = json.loads(path.read_text())
    if place == "extra":
        manifest[forged] = 1
    elif place == "parameters":
        manifest["parameters"][forged] = 1
    else:
        manifest["architecture"] = forged
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_a_reference_of_more_rows_than_a_number_holds_is_refused(folder):
    path, rows = folder / "manifest.json", 10**400
    manifest = json.loads(path.read_text())
    histogram = {"edges": [0.5], "counts": [rows, 0]}
    manifest["reference"] = {"rows": rows, "histograms": {"score": histogram}}
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="its rows are not between 1 and"):
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

    # A rename that fails after the one before it went well cannot be had from a real disk.
    monkeypatch.setattr(Path, "rename", refuse_the_draft)
    with pytest.raises(OSError, match="refused"):
        save_small_bundle(folder, seed=2)
    assert_only(before, folder)
