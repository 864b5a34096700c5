"""Loads an announced model: fetch it, check it, build it, warm it up. Knows nothing of Kafka."""

import asyncio
import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stream_detector.errors import (
    BundleError,
    IncompatibleBundleError,
    RefusalReason,
    RefusedModelError,
    RetryableError,
    SettingsError,
    StreamDetectorError,
)
from stream_detector.events import Kind
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.files import MANIFEST_NAME, SIGNATURE_NAME
from stream_detector.models.manifest import ref_of_bundle
from stream_detector.models.serving import load_fetched, model_device, warm_network
from stream_detector.models.signing import check_signature, read_public_key
from stream_detector.models.store import ModelStore
from stream_detector.models.thresholds import effective_thresholds, threshold_overrides
from stream_detector.settings.fields import Settings

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from stream_detector.models.scorer import Network

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_THREAD_NAME = "model-loader"
_ERROR_CHARACTERS = 500
"""The log line of a refusal quotes this much of an unexpected error."""


def check_store_settings(settings: Settings) -> None:
    """Check the settings of the store before the worker waits for Kafka.

    Raises:
        SettingsError: no driver for the store, or no usable public key.
    """
    ModelStore(settings.model_store)
    if settings.model_public_key is not None:
        read_public_key(settings.model_public_key)


def load_announced(
    announcement: Announcement, settings: Settings, expired: threading.Event
) -> "Network":
    """The announced model, checked and warm. Blocks for seconds; ends early once ``expired``.

    Raises:
        RefusedModelError: the worker must not serve the model; holds the reason.
    """
    try:
        bundle = _fetched(announcement, settings)
        _check_contract(announcement, bundle, settings)
        _check_time(expired)
        return warm_network(bundle, model_device(settings), between=lambda: _check_time(expired))
    except Exception as error:
        text = str(error)
        match error:
            case RefusedModelError():
                reason = error.reason
            case RetryableError():
                reason = RefusalReason.UNAVAILABLE
            case IncompatibleBundleError():
                reason = RefusalReason.INCOMPATIBLE
            case BundleError():
                reason = RefusalReason.DAMAGED
            case _:
                reason = RefusalReason.FAILED
                text = text if isinstance(error, StreamDetectorError) else repr(error)
                text = text[:_ERROR_CHARACTERS]
        raise RefusedModelError(reason, f"{_named(announcement)}: {text}") from error


def _named(announcement: Announcement) -> str:
    return f"{announcement.kind} model {announcement.name} {announcement.version}"


def _fetched(announcement: Announcement, settings: Settings) -> "Bundle":
    """The bundle from the store, each file checked against its SHA-256 and the signature."""
    with tempfile.TemporaryDirectory(prefix="stream-detector-model-") as name:
        folder = Path(name)
        store = ModelStore(settings.model_store)
        store.fetch(announcement.kind, announcement.sha256, folder)
        if settings.model_public_key is not None and not _is_own(announcement, settings):
            _check_signed(folder, settings.model_public_key)
        return load_fetched(store, announcement.kind, announcement.sha256, folder)


def _is_own(announcement: Announcement, settings: Settings) -> bool:
    """Whether the settings name this bundle, which then needs no signature.

    A rollback announces that bundle where it served before the first announcement.
    """
    own = settings.bundle_of(announcement.kind)
    try:
        return ref_of_bundle(own).sha256 == announcement.sha256
    except BundleError:
        return False


def _check_signed(folder: Path, public_key: Path) -> None:
    path = folder / SIGNATURE_NAME
    signature = path.read_bytes() if path.exists() else None
    try:
        manifest = (folder / MANIFEST_NAME).read_bytes()
        check_signature(manifest, signature, read_public_key(public_key))
    except (BundleError, SettingsError) as error:
        raise RefusedModelError(RefusalReason.SIGNATURE, str(error)) from error


def _check_contract(announcement: Announcement, bundle: "Bundle", settings: Settings) -> None:
    """Check that the bundle matches its announcement and the settings."""
    if bundle.manifest.kind != announcement.kind:
        raise RefusedModelError(
            RefusalReason.WRONG_KIND,
            f"it is announced for kind {announcement.kind}, its manifest says "
            f"{bundle.manifest.kind}",
        )
    if (bundle.ref, bundle.thresholds) != (announcement.ref, announcement.thresholds):
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            "the announcement's name, version or thresholds are not those of the bundle's manifest",
        )
    try:
        overrides = threshold_overrides(settings)[announcement.kind]
        effective_thresholds(announcement.kind, bundle.thresholds, overrides)
    except SettingsError as error:
        raise RefusedModelError(RefusalReason.THRESHOLDS, str(error)) from error


def _check_time(expired: threading.Event) -> None:
    if expired.is_set():
        raise RefusedModelError(RefusalReason.TOO_SLOW, "given up")


def loads_under_way() -> bool:
    """Whether a thread still loads a model; nothing can stop it within TensorFlow."""
    return any(thread.name == _THREAD_NAME for thread in threading.enumerate())


Load = Callable[[Announcement, Settings, threading.Event], "Network"]


async def load_in_time(
    announcement: Announcement, settings: Settings, load: Load = load_announced
) -> "Network":
    """Run ``load`` in a thread of its own; give it up after ``settings.model_load_timeout`` s.

    Raises:
        RefusedModelError: as ``load``, or ``TOO_SLOW``.
    """
    expired = threading.Event()
    try:
        return await asyncio.wait_for(
            _in_thread(lambda: load(announcement, settings, expired)), settings.model_load_timeout
        )
    except TimeoutError as error:
        raise RefusedModelError(
            RefusalReason.TOO_SLOW,
            f"{_named(announcement)}: not fetched, built and warm within "
            f"{settings.model_load_timeout:g} s: announce a smaller one, or raise "
            "model_load_timeout",
        ) from error
    finally:
        expired.set()


def _in_thread(work: Callable[[], Result]) -> "asyncio.Future[Result]":
    """Run ``work`` in a daemon thread.

    Python waits at exit for the threads of an executor, so a load that hangs in one would keep the
    process alive.
    """
    future: Future[Result] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=_THREAD_NAME, daemon=True).start()
    return asyncio.wrap_future(future)


async def networks_of(
    announced: Mapping[Kind, Announcement], settings: Settings, metrics: Metrics
) -> "dict[Kind, Network]":
    """The announced models that load, for a worker that starts; logs and counts the others."""
    networks: dict[Kind, Network] = {}
    for kind, announcement in announced.items():
        try:
            networks[kind] = await load_in_time(announcement, settings)
        except RefusedModelError as error:
            metrics.model_refusals.labels(error.reason.value).inc()
            logger.warning(
                "announced model refused (%s), %s_bundle serves instead: %s",
                error.reason.value,
                kind,
                error,
            )
    return networks
