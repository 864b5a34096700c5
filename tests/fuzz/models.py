"""Announcements and manifests: what is neither is refused, and what is has bounded fields."""

from datetime import UTC

import msgspec

from fuzz.refusals import check_refusal
from stream_detector.errors import BundleError, RefusedModelError
from stream_detector.models.announcement import KEYS, Announcement, decode_announcement
from stream_detector.models.manifest import decode_manifest
from stream_detector.name_rules import name_fault

__all__ = ["check_models"]

_KEYS = sorted(KEYS)
_NUMBER_MAX = 2**53


def check_models(data: bytes) -> None:
    """What is no announcement or manifest is refused in one short line; what is has its bounds."""
    choice, value = (data[0], data[1:]) if data else (0, b"")
    _check_announcement(_KEYS[choice % len(_KEYS)], value)
    _check_manifest(value)


def _check_announcement(key: bytes, value: bytes) -> None:
    try:
        found = decode_announcement(key, value)
    except RefusedModelError as error:
        check_refusal(error)
        return
    if isinstance(found, Announcement):
        assert name_fault(found.name) is None, found
        assert name_fault(found.version) is None, found


def _check_manifest(value: bytes) -> None:
    try:
        manifest = decode_manifest(value, "bundle/manifest.json")
    except BundleError as error:
        check_refusal(error)
        return
    assert name_fault(manifest.name) is None, manifest
    assert name_fault(manifest.version) is None, manifest
    thresholds = manifest.verdict_thresholds
    assert 0 <= thresholds.suspicious <= thresholds.malicious <= 1, manifest
    assert manifest.calibration.slope > 0, manifest
    assert manifest.created_at.astimezone(UTC).timestamp() > 0, manifest
    assert all(0 < number <= 65_536 for number in manifest.parameters.values()), manifest
    counts = [number for source in manifest.sources for number in (source.rows, source.malicious)]
    assert all(0 <= number <= _NUMBER_MAX for number in counts), manifest
    if manifest.reference is not None:
        for histogram in manifest.reference.histograms.values():
            assert sum(histogram.counts) == manifest.reference.rows, manifest
    again = decode_manifest(msgspec.json.encode(manifest), "again")
    assert again == manifest, (manifest, again)
