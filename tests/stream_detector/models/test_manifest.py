"""The manifest's reader: what it takes, what it refuses, and what it does not load."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from stream_detector.errors import BundleError
from stream_detector.models.manifest import decode_manifest, kind_of_bundle, ref_of_bundle
from support.bundles import save_small_bundle, small_manifest

FILES = {"weights.safetensors": "0" * 64}


def manifest(**changes: object) -> bytes:
    written = json.loads(msgspec.json.encode(small_manifest()))
    return json.dumps({**written, "files": FILES, **changes}).encode()


def test_reading_a_manifest_loads_no_tensorflow_and_no_client_of_a_network(tmp_path: Path) -> None:
    bundle = save_small_bundle(tmp_path / "url")
    program = f"""
import sys
from pathlib import Path
from stream_detector.models.manifest import kind_of_bundle, ref_of_bundle
folder = Path({str(tmp_path / "url")!r})
print(kind_of_bundle(folder), ref_of_bundle(folder).sha256)
print(*sys.modules)
"""
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == f"url {bundle.sha256}"
    loaded = {name.partition(".")[0] for name in said[1].split()}
    heavy = {"tensorflow", "sklearn", "scipy", "safetensors", "fsspec", "aiokafka", "faust", "ssl"}
    assert not loaded & heavy


def test_what_was_written_is_read() -> None:
    whole = msgspec.structs.replace(small_manifest(), files=FILES)
    assert decode_manifest(msgspec.json.encode(whole), "here") == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "here: the model's name is empty"),
        ({"version": "1\n2"}, "here: the model's version holds a control character"),
        ({"version": "v" * 201}, "longer than 200 characters"),
        ({"created_at": "2026-01-01T00:00:00"}, "here is not a manifest"),
        ({"created_at": "0001-01-01T00:00:00+23:00"}, "year of created_at is not between"),
        ({"created_at": "9999-12-31T23:00:00-23:00"}, "year of created_at is not between"),
        ({"parameters": {"units": 0}}, "a parameter is not between 1 and 65,536"),
        ({"parameters": {"units": 65_537}}, "a parameter is not between 1 and 65,536"),
        ({"calibration": {"slope": 0, "intercept": 0}}, "slope be positive"),
        ({"files": {}}, "must list weights.safetensors and nothing else"),
        ({"files": {**FILES, "../x": "0" * 64}}, "must list weights.safetensors and nothing else"),
        ({"reference": {"rows": 1, "histograms": {}}}, "the reference is malformed"),
        ({"sources": [{"name": "a", "rows": -1, "malicious": 0}]}, "here is not a manifest"),
        ({"format": 2}, "here is not a manifest"),
        ({"unknown": 1}, "here is not a manifest"),
        ({"metrics": {"filler": {"x" * 1_048_576: {}}}}, "is larger than 1048576 bytes"),
    ],
)
def test_what_no_bundle_has_is_refused_in_one_short_line(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BundleError) as refused:
        decode_manifest(manifest(**changes), "here")
    assert message in str(refused.value)
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


def test_thresholds_rise_within_0_and_1() -> None:
    for suspicious, malicious in ((0.9, 0.6), (-0.1, 0.9), (0.6, 1.1)):
        points = {
            "suspicious": {"threshold": suspicious, "false_positive_rate": 0.01},
            "malicious": {"threshold": malicious, "false_positive_rate": 0.001},
        }
        with pytest.raises(BundleError, match="thresholds must rise from 0 to 1"):
            decode_manifest(manifest(thresholds=points), "here")


@pytest.mark.parametrize("read", [kind_of_bundle, ref_of_bundle])
def test_a_folder_without_a_sound_manifest_is_named(read, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json is not there"):
        read(tmp_path)
    (tmp_path / "manifest.json").write_bytes(manifest(name="\x1b[2J"))
    with pytest.raises(BundleError, match="model's name holds a control character"):
        read(tmp_path)
