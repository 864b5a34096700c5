"""Checks of the settings that name models, before TensorFlow is loaded."""

from contextlib import suppress
from typing import get_args

from stream_detector.errors import BundleError
from stream_detector.events import Kind
from stream_detector.models.manifest import decode_manifest
from stream_detector.models.serving import set_manifest, threshold_overrides
from stream_detector.models.thresholds import effective_thresholds
from stream_detector.settings.fields import Settings

__all__ = ["check_model_settings"]


def check_model_settings(settings: Settings) -> None:
    """Check the folders of the bundles and the thresholds, in milliseconds.

    With a model store the announced models decide, and nothing is checked. Other faults of a
    bundle are for ``served_bundle`` to report.

    Raises:
        SettingsError: a folder holds no bundle, or a threshold contradicts the bundle's other one.
    """
    if settings.model_store:
        return
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        content = set_manifest(settings, kind)
        with suppress(BundleError):
            thresholds = decode_manifest(content, "").verdict_thresholds
            effective_thresholds(kind, thresholds, threshold_overrides(settings)[kind])
