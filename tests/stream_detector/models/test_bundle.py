"""The bundle: what is saved is what is loaded, and what is not sound is refused by name."""

import json

import msgspec
import numpy as np
import pytest

from stream_detector.errors import BundleError
from stream_detector.models.architectures.wide_bilstm import WIDE_TABLE, WideBiLstm
from stream_detector.models.bundle import load_bundle, save_bundle
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest


@pytest.fixture
def folder(tmp_path):
    save_small_bundle(tmp_path / "url")
    return tmp_path / "url"


def change(folder, **fields):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_is_saved_is_what_is_loaded(tmp_path):
    saved = save_small_bundle(tmp_path / "url", seed=3)
    loaded = load_bundle(tmp_path / "url", kind="url")
    assert loaded.manifest == saved.manifest
    assert loaded.sha256 == saved.sha256
    assert loaded.architecture.parameters == ARCHITECTURE.parameters
    assert loaded.weights.keys() == saved.weights.keys()
    for name, value in ARCHITECTURE.initial_weights(3).items():
        assert np.array_equal(loaded.weights[name], value)
    assert [path.name for path in tmp_path.iterdir()] == ["url"]


def test_a_table_of_ngrams_is_kept_in_half_precision(tmp_path):
    wide = WideBiLstm(length_max=24, embedding=4, units=5, hidden=6, bucket_bits=8)
    weights = wide.initial_weights(3)
    weights[WIDE_TABLE] = np.random.default_rng(3).normal(size=256).astype(np.float32)
    manifest = msgspec.structs.replace(
        small_manifest(), architecture=wide.name, parameters=dict(wide.parameters)
    )
    save_bundle(tmp_path / "url", manifest, weights)
    loaded = load_bundle(tmp_path / "url").weights
    assert all(value.dtype == np.float32 for value in loaded.values())
    rounded = weights[WIDE_TABLE].astype(np.float16).astype(np.float32)
    assert np.array_equal(loaded[WIDE_TABLE], rounded)
    assert np.array_equal(loaded["embedding"], weights["embedding"])


def test_a_new_bundle_takes_the_place_of_the_old_one(folder):
    new = save_small_bundle(folder, seed=9)
    assert load_bundle(folder).sha256 == new.sha256
    assert [path.name for path in folder.parent.iterdir()] == ["url"]


def test_where_saving_fails_the_old_bundle_stays(folder):
    before = load_bundle(folder).sha256
    weights = ARCHITECTURE.initial_weights(1)
    weights["embedding"] = weights["embedding"] * np.nan
    with pytest.raises(BundleError, match="finite"):
        save_bundle(folder, small_manifest(), weights)
    assert load_bundle(folder).sha256 == before
    assert [path.name for path in folder.parent.iterdir()] == ["url"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"canonical_form_version": 99}, "was trained on canonical form 99"),
        ({"architecture": "transformer"}, "unknown architecture 'transformer'.*bilstm"),
        ({"parameters": {"length_max": 24, "layers": 2}}, "wrong parameters for bilstm"),
        ({"parameters": {"length_max": 24, "units": 7}}, "names or shapes of the weights"),
        ({"parameters": {"length_max": 0}}, "not between 1 and 65,536"),
        ({"files": {"../../etc/passwd": "0" * 64}}, "must list weights.safetensors and nothing"),
        ({"files": {"weights.safetensors": "0" * 64}}, "does not match the sha256"),
        ({"calibration": {"slope": -1.0, "intercept": 0.0}}, "slope be positive"),
        ({"kind": "file"}, "is not a manifest"),
        ({"surprise": 1}, "is not a manifest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_by_name(folder, fields, message):
    change(folder, **fields)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_bundle_for_the_other_kind_is_refused(folder):
    with pytest.raises(BundleError, match="for kind url, not for host"):
        load_bundle(folder, kind="host")


def test_one_changed_byte_of_the_weights_is_found(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match="damaged or was swapped"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["manifest.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is not there"):
        load_bundle(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\x00"])
def test_what_is_no_manifest_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match="is not a manifest"):
        load_bundle(folder)


@pytest.mark.parametrize("field", ["name", "version"])
@pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "a\u202eb", "a\x1b[2J"], ids=ascii)
def test_a_name_that_no_verdict_should_hold_is_refused_in_one_short_line(folder, field, text):
    change(folder, **{field: text})
    with pytest.raises(BundleError, match=f"the model's {field} (is|holds)") as caught:
        load_bundle(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(folder)) + 120
