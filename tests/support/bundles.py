"""Small bundles with weights at random, for tests that need a bundle and no good one."""

from datetime import UTC, datetime
from pathlib import Path

from stream_detector.canonical import CANONICAL_FORM_VERSION
from stream_detector.events import Kind
from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.bundle import Bundle, save_bundle
from stream_detector.models.calibration import Platt
from stream_detector.models.manifest import Manifest, OperatingPoint, OperatingPoints, Training

__all__ = ["ARCHITECTURE", "save_small_bundle", "small_manifest"]

ARCHITECTURE = BiLstm(length_max=24, embedding=4, units=5, hidden=6)


def small_manifest(kind: Kind = "url") -> Manifest:
    """A manifest for ``ARCHITECTURE``."""
    return Manifest(
        name=f"small-{kind}",
        version="1",
        kind=kind,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        canonical_form_version=CANONICAL_FORM_VERSION,
        architecture=ARCHITECTURE.name,
        parameters=dict(ARCHITECTURE.parameters),
        calibration=Platt(slope=1.0, intercept=0.0),
        thresholds=OperatingPoints(
            suspicious=OperatingPoint(threshold=0.6, false_positive_rate=0.01),
            malicious=OperatingPoint(threshold=0.9, false_positive_rate=0.001),
        ),
        metrics={},
        sources=[],
        training=Training(
            command="none", seed=0, split="none", rows={}, data_sha256={}, history=[]
        ),
        files={},
    )


def save_small_bundle(folder: Path, kind: Kind = "url", *, seed: int = 0) -> Bundle:
    """Save a bundle with weights drawn from ``seed``."""
    return save_bundle(folder, small_manifest(kind), ARCHITECTURE.initial_weights(seed))
