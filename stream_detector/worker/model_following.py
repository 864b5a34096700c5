"""Takes announced models into a running worker: fetch, check, build, warm up, switch.

All but the switch happens in a thread of its own beside the scoring, and whatever is wrong with
an announced model leaves the one that serves where it is. Knows nothing of Kafka: what is
announced is passed in.
"""

import asyncio
import gc
import logging
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, TypeVar, Unpack

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
from stream_detector.models.serving import (
    load_fetched,
    model_device,
    threshold_overrides,
    warm_network,
)
from stream_detector.models.store import ModelStore
from stream_detector.models.thresholds import effective_thresholds
from stream_detector.settings.fields import Settings

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from stream_detector.models.scorer import Network, Scorer

__all__ = [
    "Follower",
    "FollowerArguments",
    "ModelFollower",
    "check_store_settings",
    "collect_networks",
    "load_announced",
    "loads_under_way",
    "networks_of",
]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_THREAD_NAME = "model-loader"
_RETRY_SECONDS = 2.0
_RETRY_SECONDS_MAX = 60.0
"""Between tries to get what the store did not have: doubling from the one to the other."""


def check_store_settings(settings: Settings) -> None:
    """Tell what is wrong with the settings of the store before anything is waited for.

    Raises:
        SettingsError: no driver for the store, or no usable public key.
    """
    ModelStore(settings.model_store)
    if settings.model_public_key is not None:
        from stream_detector.models.signing import read_public_key  # noqa: PLC0415

        read_public_key(settings.model_public_key)


def load_announced(
    announcement: Announcement, settings: Settings, expired: threading.Event
) -> "Network":
    """The announced model, checked and warm. Blocks for seconds; ends early once ``expired``.

    Raises:
        RefusedModelError: the model is not to be taken, and why.
    """
    where = f"{announcement.kind} model {announcement.name} {announcement.version}"
    try:
        bundle = _fetched(announcement, settings)
        _check_contract(announcement, bundle, settings)
        _go_on_unless(expired)
        return warm_network(bundle, model_device(settings), between=lambda: _go_on_unless(expired))
    except RefusedModelError as error:
        raise RefusedModelError(error.reason, f"{where}: {error}") from error
    except RetryableError as error:
        raise RefusedModelError(RefusalReason.UNAVAILABLE, f"{where}: {error}") from error
    except IncompatibleBundleError as error:
        raise RefusedModelError(RefusalReason.INCOMPATIBLE, f"{where}: {error}") from error
    except BundleError as error:
        raise RefusedModelError(RefusalReason.DAMAGED, f"{where}: {error}") from error
    except Exception as error:
        what = str(error) if isinstance(error, StreamDetectorError) else repr(error)
        raise RefusedModelError(RefusalReason.FAILED, f"{where}: {what[:500]}") from error


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
    """Whether it is the bundle that the settings name, which needs no signature.

    A rollback announces that bundle where it served before anything was announced.
    """
    set_to = settings.url_bundle if announcement.kind == "url" else settings.host_bundle
    try:
        return ref_of_bundle(set_to).sha256 == announcement.sha256
    except BundleError:
        return False


def _check_signed(folder: Path, public_key: Path) -> None:
    from stream_detector.models.signing import check_signature, read_public_key  # noqa: PLC0415

    path = folder / SIGNATURE_NAME
    signature = path.read_bytes() if path.exists() else None
    try:
        manifest = (folder / MANIFEST_NAME).read_bytes()
        check_signature(manifest, signature, read_public_key(public_key))
    except (BundleError, SettingsError) as error:
        raise RefusedModelError(RefusalReason.SIGNATURE, str(error)) from error


def _check_contract(announcement: Announcement, bundle: "Bundle", settings: Settings) -> None:
    """Whether the bundle is what was announced, and goes with the settings."""
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
        effective_thresholds(
            announcement.kind,
            bundle.thresholds,
            threshold_overrides(settings)[announcement.kind],
        )
    except SettingsError as error:
        raise RefusedModelError(RefusalReason.THRESHOLDS, str(error)) from error


def _go_on_unless(expired: threading.Event) -> None:
    if expired.is_set():
        raise RefusedModelError(RefusalReason.TOO_SLOW, "given up")


def loads_under_way() -> bool:
    """Whether a thread still loads a model; nothing can tell it to stop within TensorFlow."""
    return any(thread.name == _THREAD_NAME for thread in threading.enumerate())


Load = Callable[[Announcement, Settings, threading.Event], "Network"]


async def _load_in_time(announcement: Announcement, settings: Settings, load: Load) -> "Network":
    """``load`` in a thread of its own, given up after ``settings.model_load_timeout``."""
    expired = threading.Event()
    try:
        return await asyncio.wait_for(
            _in_thread(lambda: load(announcement, settings, expired)), settings.model_load_timeout
        )
    except TimeoutError as error:
        raise RefusedModelError(
            RefusalReason.TOO_SLOW,
            f"{announcement.kind} model {announcement.name} {announcement.version}: not fetched, "
            f"built and warm within {settings.model_load_timeout:g} s: announce a smaller one, or "
            "raise model_load_timeout",
        ) from error
    finally:
        expired.set()


def _in_thread(work: Callable[[], Result]) -> "asyncio.Future[Result]":
    """Run ``work`` in a daemon thread: one that hangs keeps no process from its end."""
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
    """What of ``announced`` can be had, for a worker that starts; the rest is told and counted."""
    networks: dict[Kind, Network] = {}
    for kind, announcement in announced.items():
        try:
            networks[kind] = await _load_in_time(announcement, settings, load_announced)
        except RefusedModelError as error:
            metrics.model_refusals.labels(error.reason.value).inc()
            logger.warning(
                "announced model refused (%s), %s_bundle serves instead: %s",
                error.reason.value,
                kind,
                error,
            )
    return networks


def collect_networks() -> None:
    """Free the networks that nothing uses any more.

    A compiled network is part of cycles, and the worker collects next to never. Between two batches
    this takes no longer than a batch.
    """
    gc.collect()


class FollowerArguments(TypedDict, total=False):
    """What every follower is made with, beside the scorer."""

    settings: Required[Settings]
    metrics: Required[Metrics]
    executor: Required[Executor]
    load: Load
    clock: Callable[[], float]


class Follower(ABC):
    """Takes what is announced for one role of models. All methods are called on the event loop.

    What is announced last for a kind is loaded beside the scoring, then taken in ``executor``,
    whose one thread owns the scorer: between two batches. A refusal is counted and told in one
    line. What the store does not have is tried again until something else is announced for the
    kind.
    """

    instead: str
    """What happens where a model is refused, for a log line."""

    def __init__(
        self,
        scorer: "Scorer",
        *,
        settings: Settings,
        metrics: Metrics,
        executor: Executor,
        load: Load = load_announced,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` in seconds."""
        self._scorer = scorer
        self._settings = settings
        self._metrics = metrics
        self._executor = executor
        self._load = load
        self._clock = clock
        self._wanted: dict[Kind, Announcement] = {}
        self._retries: dict[Kind, tuple[float, float]] = {}
        """By kind: when to try again, and how long to wait after that."""
        self._offered = asyncio.Event()

    @abstractmethod
    async def _take(self, kind: Kind, announcement: Announcement) -> None:
        """Load one model and take it, if it is still the one wanted when it is warm."""

    def _want(self, announcement: Announcement) -> None:
        self._wanted[announcement.kind] = announcement
        self._retries.pop(announcement.kind, None)
        self._offered.set()

    def refuse(self, error: RefusedModelError) -> None:
        """Count and tell that something announced was refused."""
        self._metrics.model_refusals.labels(error.reason.value).inc()
        logger.warning(
            "announced model refused (%s), %s: %s", error.reason.value, self.instead, error
        )

    async def run(self) -> None:
        """Load and take until cancelled."""
        while True:
            self._offered.clear()
            for kind, announcement in list(self._wanted.items()):
                due, _ = self._retries.get(kind, (self._clock(), 0.0))
                if due <= self._clock():
                    await self._take(kind, announcement)
            await self._next_offer()

    async def _next_offer(self) -> None:
        """Wait for an offer, or until the next try is due."""
        dues = [due for due, _ in self._retries.values()]
        left = min(dues) - self._clock() if dues else None
        try:
            await asyncio.wait_for(self._offered.wait(), left)
        except TimeoutError:
            return

    async def _loaded(self, kind: Kind, announcement: Announcement) -> "Network | None":
        """The model, warm; None where it was refused, or something else is wanted by now."""
        try:
            network = await _load_in_time(announcement, self._settings, self._load)
        except RefusedModelError as error:
            self._refused(kind, announcement, error)
            return None
        return network if self._wanted.get(kind) is announcement else None

    def _refused(self, kind: Kind, announcement: Announcement, error: RefusedModelError) -> None:
        _, pause = self._retries.get(kind, (0.0, 0.0))
        if pause:  # The same as at the try before, which was told.
            self._metrics.model_refusals.labels(error.reason.value).inc()
        else:
            self.refuse(error)
        if error.reason is not RefusalReason.UNAVAILABLE:
            self._done(kind, announcement)
        elif self._wanted.get(kind) is announcement:
            pause = min(pause * 2 or _RETRY_SECONDS, _RETRY_SECONDS_MAX)
            self._retries[kind] = (self._clock() + pause, pause)

    def _done(self, kind: Kind, announcement: Announcement) -> None:
        """Nothing more is to be done for it, unless something else was announced meanwhile."""
        if self._wanted.get(kind) is announcement:
            del self._wanted[kind]
            self._retries.pop(kind, None)


class ModelFollower(Follower):
    """Keeps a running scorer at what is announced to serve."""

    instead = "the one that serves goes on"

    def __init__(
        self,
        scorer: "Scorer",
        *,
        after_switch: Callable[[Kind], object] | None = None,
        **others: Unpack[FollowerArguments],
    ) -> None:
        """``after_switch`` is told the kind that another model serves now."""
        super().__init__(scorer, **others)
        self._after_switch = after_switch

    def offer(self, announcement: Announcement) -> None:
        """Take note of what was announced; nothing happens if it serves already."""
        self._metrics.show_announced(announcement.kind, announcement.ref)
        self._want(announcement)

    async def _take(self, kind: Kind, announcement: Announcement) -> None:
        serving = self._scorer.models[kind].ref
        if announcement.sha256 == serving.sha256:
            self._done(kind, announcement)
            return
        started = self._clock()
        network = await self._loaded(kind, announcement)
        if network is None:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._scorer.switch, kind, network)
        await loop.run_in_executor(self._executor, collect_networks)
        self._metrics.show_model(kind, network.served, instead_of=serving)
        self._metrics.model_switches.labels(kind).inc()
        logger.info(
            "the %s model is now %s %s (%s), instead of %s %s (%s); loaded in %.1f s",
            kind,
            announcement.name,
            announcement.version,
            announcement.ref.short,
            serving.name,
            serving.version,
            serving.short,
            self._clock() - started,
        )
        self._done(kind, announcement)
        if self._after_switch is not None:
            self._after_switch(kind)
