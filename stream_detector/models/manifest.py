"""The manifest of a bundle, ``manifest.json``: read and checked without TensorFlow.

All manifests are read here: of bundles on disk, in the model store, and from unknown hands. A
manifest that is returned has printable names, numbers within their limits and a time with a zone.
Whether a network fits it, ``bundle`` checks.
"""

import hashlib
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from stream_detector.errors import BundleError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.models.calibration import Platt
from stream_detector.models.files import (
    BYTES_MAX,
    MANIFEST_NAME,
    WEIGHTS_NAME,
    in_short,
    read_bundle_file,
)
from stream_detector.models.reference import Reference, faults
from stream_detector.name_rules import name_fault

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

_PARAMETER_MAX = 65_536
_YEARS = range(2000, 3000)
"""A time at either end of the calendar overflows where it is converted to another zone."""


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A threshold on the calibrated score, and what it was set for."""

    threshold: float
    false_positive_rate: Share
    """Share of the validation part's benign rows at or above the threshold, as aimed at."""


class OperatingPoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where verdicts change."""

    suspicious: OperatingPoint
    malicious: OperatingPoint


class DataSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source of training data."""

    name: str
    rows: Count
    malicious: Count
    licence: str = ""
    origin: str = ""


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the weights came to be."""

    command: str
    seed: int
    split: str
    rows: dict[str, Count]
    """By part."""
    data_sha256: dict[str, str]
    """By file name."""
    history: list[dict[str, float]]
    """One entry an epoch."""
    warm_start: str = ""
    """SHA-256 of the bundle whose weights it began with; empty: it began from nothing."""
    identity: str = ""
    """Of a retraining: a digest of rows, labels and the way of training."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``manifest.json`` holds."""

    name: str
    version: str
    kind: Kind
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    canonical_form_version: int
    architecture: str
    parameters: dict[str, int]
    """Of the architecture, each from 1 to 65,536."""
    calibration: Platt
    thresholds: OperatingPoints
    metrics: dict[str, float | dict[str, dict[str, float]]]
    """On the test part: overall figures, and by kind and source."""
    sources: list[DataSource]
    training: Training
    files: dict[str, str]
    """SHA-256 in hex, by file name."""
    reference: Reference | None = None
    """Scores and inputs of the test part's benign rows, which traffic is compared with; bundles
    made before there was one have none, and give no figures of drift."""
    format: Literal[1] = 1

    @property
    def verdict_thresholds(self) -> Thresholds:
        """Scores at which verdicts change."""
        points = self.thresholds
        return Thresholds(points.suspicious.threshold, points.malicious.threshold)


def decode_manifest(content: bytes, where: Path | str) -> Manifest:
    """The manifest in ``content``, checked; ``where`` it was read is for error messages.

    Raises:
        BundleError: it does not decode, or a value is outside its limits.
    """
    if len(content) > BYTES_MAX[MANIFEST_NAME]:
        raise BundleError(f"{where} is larger than {BYTES_MAX[MANIFEST_NAME]} bytes")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{where} is not a manifest: {in_short(error)}") from error
    for fault in _faults(manifest):
        raise BundleError(f"{where}{fault}")
    return manifest


def kind_of_bundle(bundle: Path) -> Kind:
    """The kind in the bundle's manifest; ``load_bundle`` checks the weights.

    Raises:
        BundleError: there is no manifest, or it does not decode.
    """
    return _manifest_of(bundle)[0].kind


def ref_of_bundle(bundle: Path) -> ModelRef:
    """How verdicts name the bundle, by its manifest; ``load_bundle`` checks the weights.

    Raises:
        BundleError: there is no manifest, or it does not decode.
    """
    manifest, content = _manifest_of(bundle)
    return ModelRef(manifest.name, manifest.version, hashlib.sha256(content).hexdigest())


def _manifest_of(bundle: Path) -> tuple[Manifest, bytes]:
    content = read_bundle_file(bundle, MANIFEST_NAME)
    return decode_manifest(content, bundle / MANIFEST_NAME), content


def _faults(manifest: Manifest) -> Iterator[str]:
    """The faults of a manifest that another program may have written, to follow the file's name."""
    for field in ("name", "version"):
        if fault := name_fault(getattr(manifest, field)):
            yield f": the model's {field} {fault}"
    if manifest.created_at.year not in _YEARS:
        yield f": the year of created_at is not between {_YEARS[0]} and {_YEARS[-1]}"
    if not all(0 < value <= _PARAMETER_MAX for value in manifest.parameters.values()):
        yield f": a parameter is not between 1 and {_PARAMETER_MAX:,}"
    thresholds, calibration = manifest.verdict_thresholds, manifest.calibration
    is_sound = (
        0.0 <= thresholds.suspicious <= thresholds.malicious <= 1.0
        and math.isfinite(calibration.slope)
        and math.isfinite(calibration.intercept)
        and calibration.slope > 0
    )
    if not is_sound:
        yield ": thresholds must rise from 0 to 1 and the calibration's slope be positive"
    if manifest.reference is not None:
        for fault in faults(manifest.kind, manifest.reference):
            yield f": the reference is malformed: {in_short(fault)}"
    if set(manifest.files) != {WEIGHTS_NAME}:
        yield f" must list {WEIGHTS_NAME} and nothing else"
