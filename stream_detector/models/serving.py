"""What the settings ask for: the two bundles, and the scorer that serves them."""

from typing import TYPE_CHECKING

from stream_detector.errors import BundleError
from stream_detector.events import Kind
from stream_detector.logs import native_output_held_back
from stream_detector.settings import Settings

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from stream_detector.models.scorer import Scorer

__all__ = ["load_scorer", "served_bundle"]


def served_bundle(settings: Settings, kind: Kind) -> "Bundle":
    """The bundle set for ``kind``.

    Raises:
        BundleError: it was refused; the message names the setting.
    """
    with native_output_held_back():
        from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    folder = settings.url_bundle if kind == "url" else settings.host_bundle
    try:
        return load_bundle(folder, kind=kind)
    except BundleError as error:
        raise BundleError(f"{error}; correct {kind}_bundle") from error


def load_scorer(settings: Settings) -> "Scorer":
    """Import TensorFlow without its announcements and load both bundles; nothing is compiled.

    Raises:
        BundleError: a bundle was refused.
        DeviceError: ``gpu`` was asked for and there is none.
    """
    with native_output_held_back():
        from stream_detector.models import device  # noqa: PLC0415 - imports TensorFlow
        from stream_detector.models.scorer import Scorer  # noqa: PLC0415

        device.prepare_tensorflow(settings.model_threads)
        return Scorer(
            {"url": served_bundle(settings, "url"), "host": served_bundle(settings, "host")},
            device=device.choose_device(settings.device, device.visible_gpus()),
        )
