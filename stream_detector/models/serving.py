"""What the settings ask for: the two bundles, and the scorer that serves them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, get_args

import msgspec

from stream_detector.errors import BundleError, RefusalReason, RefusedModelError, SettingsError
from stream_detector.events import Kind, Thresholds
from stream_detector.logs.setup import native_output_held_back
from stream_detector.models.base import CANARIES
from stream_detector.models.files import MANIFEST_NAME, read_bundle_file
from stream_detector.models.thresholds import (
    Overrides,
    ThresholdOverrides,
    effective_thresholds,
)
from stream_detector.settings.fields import Settings

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from stream_detector.models.scorer import Network, Scorer

__all__ = [
    "check_model_settings",
    "load_scorer",
    "model_device",
    "served_bundle",
    "threshold_overrides",
    "warm_network",
]


class _Point(msgspec.Struct):
    threshold: float


class _Points(msgspec.Struct):
    suspicious: _Point
    malicious: _Point


class _Head(msgspec.Struct):
    """The part of a manifest that the settings may contradict."""

    thresholds: _Points


def check_model_settings(settings: Settings) -> None:
    """Check the bundles' manifests and the thresholds, without TensorFlow, which loads for seconds.

    Where models are announced those decide, and nothing is checked. Whatever else may be wrong
    with a bundle is for ``served_bundle`` to say.

    Raises:
        SettingsError: there is no bundle in a folder that is set, or a threshold that is set
            contradicts the bundle's other one.
    """
    if settings.model_store:
        return
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        try:
            points = msgspec.json.decode(_manifest(settings, kind), type=_Head).thresholds
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        thresholds = Thresholds(points.suspicious.threshold, points.malicious.threshold)
        effective_thresholds(kind, thresholds, threshold_overrides(settings)[kind])


def threshold_overrides(settings: Settings) -> Overrides:
    """The thresholds that the settings put in the place of a bundle's own, by kind."""
    overrides: dict[Kind, ThresholdOverrides] = {}
    for kind in get_args(Kind):
        names = (f"{kind}_suspicious_threshold", f"{kind}_malicious_threshold")
        suspicious, malicious = (getattr(settings, name) for name in names)
        places = tuple(
            settings.with_place(name) for name in names if getattr(settings, name) is not None
        )
        overrides[kind] = ThresholdOverrides(suspicious, malicious, places)
    return overrides


def _manifest(settings: Settings, kind: Kind) -> bytes:
    name = f"{kind}_bundle"
    try:
        return read_bundle_file(getattr(settings, name), MANIFEST_NAME)
    except BundleError as error:
        raise SettingsError(f"{error}; correct {settings.with_place(name)}") from error


def served_bundle(settings: Settings, kind: Kind) -> "Bundle":
    """The bundle set for ``kind``.

    Raises:
        SettingsError: there is none in the folder that is set.
        BundleError: it was refused; the message names the setting.
    """
    _manifest(settings, kind)
    with native_output_held_back():
        from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    folder = settings.url_bundle if kind == "url" else settings.host_bundle
    try:
        return load_bundle(folder, kind=kind)
    except BundleError as error:
        where = settings.with_place(f"{kind}_bundle")
        raise BundleError(f"{error}; correct {where}") from error


def model_device(settings: Settings) -> str:
    """Import TensorFlow without its announcements; returns its name of the device to use.

    Raises:
        SettingsError: ``gpu`` was asked for and there is none.
    """
    with native_output_held_back():
        from stream_detector.models import device  # noqa: PLC0415 - imports TensorFlow

        device.prepare_tensorflow(settings.model_threads)
        try:
            return device.choose_device(settings.device, device.visible_gpus())
        except SettingsError as error:
            raise SettingsError(f"{error}; correct {settings.with_place('device')}") from error


def load_scorer(settings: Settings, networks: "Mapping[Kind, Network] | None" = None) -> "Scorer":
    """Load the bundles that the settings name; nothing is compiled.

    A kind that one of ``networks`` serves, as it was announced, needs no bundle in the settings.

    Raises:
        BundleError: a bundle was refused.
        SettingsError: ``gpu`` was asked for and there is none.
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
