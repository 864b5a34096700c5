"""The scorer that the settings ask for."""

from typing import TYPE_CHECKING

from stream_detector.logs import native_output_held_back
from stream_detector.settings import Settings

if TYPE_CHECKING:
    from stream_detector.models.scorer import Scorer

__all__ = ["load_scorer"]


def load_scorer(settings: Settings) -> "Scorer":
    """Import TensorFlow without its announcements and load both bundles; nothing is compiled.

    Raises:
        BundleError: a bundle was refused.
        DeviceError: ``gpu`` was asked for and there is none.
    """
    with native_output_held_back():
        from stream_detector.models.scorer import Scorer  # noqa: PLC0415 - imports TensorFlow

        return Scorer.load(
            settings.url_bundle,
            settings.host_bundle,
            device=settings.device,
            threads=settings.model_threads,
        )
