"""What the settings ask for: the two bundles, and the scorer that serves them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, get_args

from stream_detector.errors import BundleError, RefusalReason, RefusedModelError
from stream_detector.events import Kind
from stream_detector.logs import native_output_held_back
from stream_detector.models.base import CANARIES
from stream_detector.settings import Settings

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from stream_detector.models.scorer import Network, Scorer

__all__ = ["load_scorer", "model_device", "served_bundle", "warm_network"]


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


def model_device(settings: Settings) -> str:
    """Import TensorFlow without its announcements; returns its name of the device to use.

    Raises:
        DeviceError: ``gpu`` was asked for and there is none.
    """
    with native_output_held_back():
        from stream_detector.models import device  # noqa: PLC0415 - imports TensorFlow

        device.prepare_tensorflow(settings.model_threads)
        return device.choose_device(settings.device, device.visible_gpus())


def load_scorer(settings: Settings, networks: "Mapping[Kind, Network] | None" = None) -> "Scorer":
    """Load the bundles that the settings name; nothing is compiled.

    A kind that one of ``networks`` serves, as it was announced, needs no bundle in the settings.

    Raises:
        BundleError: a bundle was refused.
        DeviceError: ``gpu`` was asked for and there is none.
    """
    device = model_device(settings)
    with native_output_held_back():
        from stream_detector.models.scorer import Scorer  # noqa: PLC0415 - imports TensorFlow

        networks = networks or {}
        kinds: tuple[Kind, ...] = get_args(Kind)
        scorer = Scorer(
            {kind: served_bundle(settings, kind) for kind in kinds if kind not in networks},
            device=device,
        )
        for kind, network in networks.items():
            scorer.switch(kind, network)
        return scorer


def warm_network(
    bundle: "Bundle", device: str, *, between: Callable[[], object] = lambda: None
) -> "Network":
    """The bundle's network, compiled in all its shapes, which has scored a text known to be good.

    ``device`` is TensorFlow's name of it. ``between`` is called after each of the steps that take
    seconds; what it raises ends the work.

    Raises:
        RefusedModelError: ``FAILED``: it gives no probability.
    """
    with native_output_held_back():
        from stream_detector.models.scorer import Network  # noqa: PLC0415 - TensorFlow

    network = Network(bundle, device)
    network.warm_up()
    between()
    canary = CANARIES[bundle.manifest.kind]
    score = float(network.score([canary])[0])
    if not 0.0 <= score <= 1.0:
        raise RefusedModelError(RefusalReason.FAILED, f"its score of {canary!r} is {score}")
    return network
