"""From the settings or the model store to what serves: bundles, networks and the scorer.

``check_model_settings`` needs no TensorFlow, so a wrong setting is an error at once.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import get_args

from stream_detector.errors import BundleError, RefusalReason, RefusedModelError, SettingsError
from stream_detector.events import Kind
from stream_detector.models.base import CANARIES
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.device import choose_device, prepare_tensorflow, visible_gpus
from stream_detector.models.files import MANIFEST_NAME, read_bundle_file
from stream_detector.models.manifest import decode_manifest
from stream_detector.models.scorer import Network, Scorer
from stream_detector.models.store import ModelStore
from stream_detector.models.thresholds import effective_thresholds, threshold_overrides
from stream_detector.settings.fields import Settings
from stream_detector.system.native_output import native_output_held_back


def check_model_settings(settings: Settings) -> None:
    """Check the folders of the bundles and the thresholds, in milliseconds: without TensorFlow.

    With a model store the announced models decide, and nothing is checked. Other faults of a
    bundle are for ``served_bundle`` to report.

    Raises:
        SettingsError: a folder holds no bundle, or a threshold contradicts the bundle's other one.
    """
    if settings.model_store:
        return
    overrides = threshold_overrides(settings)
    for kind in overrides:
        content = _manifest(settings, kind)
        with suppress(BundleError):
            thresholds = decode_manifest(content, "").verdict_thresholds
            effective_thresholds(kind, thresholds, overrides[kind])


def _manifest(settings: Settings, kind: Kind) -> bytes:
    name = f"{kind}_bundle"
    try:
        return read_bundle_file(getattr(settings, name), MANIFEST_NAME)
    except BundleError as error:
        raise SettingsError(f"{error}; correct {settings.with_place(name)}") from error


def served_bundle(settings: Settings, kind: Kind) -> Bundle:
    """The bundle set for ``kind``.

    Raises:
        SettingsError: there is none in the folder that is set.
        BundleError: it was refused; the message names the setting.
    """
    _manifest(settings, kind)
    name = f"{kind}_bundle"
    try:
        return load_bundle(getattr(settings, name), kind=kind)
    except BundleError as error:
        raise BundleError(f"{error}; correct {settings.with_place(name)}") from error


def load_fetched(
    store: ModelStore, kind: Kind, sha256: str, folder: Path, *, expected: Kind | None = None
) -> Bundle:
    """Load what ``store.fetch`` has put into ``folder``; errors name its place in the store.

    ``expected`` is the kind it must be for, unless the caller checks that.

    Raises:
        BundleError: as ``load_bundle``.
    """
    try:
        return load_bundle(folder, kind=expected)
    except BundleError as error:
        # The folder is temporary: it is gone when somebody reads the message.
        where = store.url_of(kind, sha256)
        raise type(error)(str(error).replace(str(folder), where)) from error


def model_device(settings: Settings) -> str:
    """Set up TensorFlow; returns its name of the device to use.

    Raises:
        SettingsError: ``gpu`` was asked for and there is none.
    """
    # The first look for GPUs loads CUDA, which reports on stderr what this machine lacks.
    with native_output_held_back():
        prepare_tensorflow(settings.model_threads)
        try:
            return choose_device(settings.device, visible_gpus())
        except SettingsError as error:
            raise SettingsError(f"{error}; correct {settings.with_place('device')}") from error


def load_scorer(settings: Settings, networks: Mapping[Kind, Network] | None = None) -> Scorer:
    """Load the bundles that the settings name; nothing is compiled.

    ``networks`` are announced models that are warm; their kinds need no bundle in the settings.

    Raises:
        BundleError: a bundle was refused.
        SettingsError: ``gpu`` was asked for and there is none.
    """
    device = model_device(settings)
    networks = networks or {}
    kinds: tuple[Kind, ...] = get_args(Kind)
    bundles = {kind: served_bundle(settings, kind) for kind in kinds if kind not in networks}
    # XLA and CUDA report on stderr when the first weights are placed.
    with native_output_held_back():
        scorer = Scorer(bundles, device=device)
    for kind, network in networks.items():
        scorer.switch(kind, network)
    return scorer


def warm_network(
    bundle: Bundle, device: str, *, between: Callable[[], object] = lambda: None
) -> Network:
    """The bundle's network, compiled in all its shapes, which has scored a text known to be good.

    ``device`` is TensorFlow's name of it. ``between`` is called after each of the steps that take
    seconds; an exception that it raises ends the work.

    Raises:
        RefusedModelError: ``FAILED``: it gives no probability.
    """
    network = Network(bundle, device)
    network.warm_up()
    between()
    canary = CANARIES[bundle.manifest.kind]
    score = float(network.score([canary])[0])
    if not 0.0 <= score <= 1.0:
        raise RefusedModelError(RefusalReason.FAILED, f"its score of {canary!r} is {score}")
    return network
