"""Keeps the models of a running worker as announced: the scorer's own, and the shadows.

A model loads in its own thread, and the scorer's thread takes it between two batches. A model that
fails to load changes nothing. Knows nothing of Kafka: the caller passes announcements in.
"""

import asyncio
import gc
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, NamedTuple, Required, TypedDict, Unpack

import msgspec

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.events import Kind
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement, ShadowEnd
from stream_detector.policy.shadow import Shadows
from stream_detector.settings.fields import Settings
from stream_detector.worker.model_loading import Load, load_announced, load_in_time

if TYPE_CHECKING:
    from stream_detector.models.scorer import Network, Scorer

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_RETRY_SECONDS_MAX = 60.0
"""The pause before the next try to fetch a model that the store lacks doubles up to this."""


class _Arguments(TypedDict, total=False):
    """Keyword arguments that both followers share."""

    settings: Required[Settings]
    metrics: Required[Metrics]
    executor: Required[Executor]
    load: Load
    clock: Callable[[], float]


class _Follower(ABC):
    """Takes the models announced for one role. All methods are called on the event loop.

    Loads the latest announcement of each kind, then takes the model in ``executor``, whose one
    thread owns the scorer. Counts a refusal and logs it in one line. Tries again where the store
    lacks the model, until the kind gets another announcement.
    """

    instead: str
    """The consequence of a refusal, for its log line."""

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
        """By kind: when to try again, and how long to wait after that, in seconds."""
        self._offered = asyncio.Event()

    @abstractmethod
    async def _take(self, kind: Kind, announcement: Announcement) -> None:
        """Load one model, and take it unless another one is wanted once it is warm."""

    def _want(self, announcement: Announcement) -> None:
        self._wanted[announcement.kind] = announcement
        self._retries.pop(announcement.kind, None)
        self._offered.set()

    def refuse(self, error: RefusedModelError) -> None:
        """Count and log the refusal of an announced model."""
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
        """The warm model; None if refused, or if another one is wanted by now."""
        try:
            network = await load_in_time(announcement, self._settings, self._load)
        except RefusedModelError as error:
            self._refused(kind, announcement, error)
            return None
        return network if self._wanted.get(kind) is announcement else None

    def _refused(self, kind: Kind, announcement: Announcement, error: RefusedModelError) -> None:
        _, pause = self._retries.get(kind, (0.0, 0.0))
        if pause:  # The first try has logged the same reason.
            self._metrics.model_refusals.labels(error.reason.value).inc()
        else:
            self.refuse(error)
        if error.reason is not RefusalReason.UNAVAILABLE:
            self._done(kind, announcement)
        elif self._wanted.get(kind) is announcement:
            pause = min(pause * 2 or _RETRY_SECONDS, _RETRY_SECONDS_MAX)
            self._retries[kind] = (self._clock() + pause, pause)

    def _done(self, kind: Kind, announcement: Announcement) -> None:
        """Forget the announcement, unless the kind got another one meanwhile."""
        if self._wanted.get(kind) is announcement:
            del self._wanted[kind]
            self._retries.pop(kind, None)

    def _submit(self, work: Callable[..., object], *arguments: object) -> None:
        """Run ``work`` in the scorer's thread without waiting for it; log an exception."""

        def ended(future: Future[object]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                logger.error("a shadow could not be ended", exc_info=error)

        self._executor.submit(work, *arguments).add_done_callback(ended)


class ModelFollower(_Follower):
    """Switches the scorer to the models announced to serve."""

    instead = "the served model stays"

    def __init__(
        self,
        scorer: "Scorer",
        *,
        after_switch: Callable[[Kind], object] = lambda _: None,
        **others: Unpack[_Arguments],
    ) -> None:
        """``after_switch`` is called with the kind whose model changed."""
        super().__init__(scorer, **others)
        self._after_switch = after_switch

    def offer(self, announcement: Announcement) -> None:
        """Note an announcement; nothing happens if its model serves already."""
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
        # The scorer's thread runs one call at a time, so the switch falls between two parts of
        # batches: one model scores all texts of a part, and needs no lock.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._scorer.switch, kind, network)
        await loop.run_in_executor(self._executor, _free_networks)
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
        self._after_switch(kind)


class ShadowFollower(_Follower):
    """Loads, starts and ends shadows, by the same rules as models that serve.

    No model is compared with itself: while it serves, its announcement as a shadow rests. A shadow
    that was dropped after an error starts again only with a new announcement.
    """

    instead = "nothing is compared with the served model"

    def __init__(self, shadows: Shadows, scorer: "Scorer", **others: Unpack[_Arguments]) -> None:
        super().__init__(scorer, **others)
        self._shadows = shadows
        self._announced: dict[Kind, Announcement] = {}

    def offer(self, announced: Announcement | ShadowEnd) -> None:
        """Note an announcement; nothing happens if that shadow runs already."""
        kind = announced.kind
        if isinstance(announced, Announcement):
            self._announced[kind] = announced
            self._want(announced)
        else:
            self._announced.pop(kind, None)
            self._wanted.pop(kind, None)
            self._retries.pop(kind, None)
            # The executor has one thread, so this runs after a start that is under way.
            self._submit(self._end, kind)

    def reconsider(self, kind: Kind) -> None:
        """Start or end the announced shadow again, since another model serves ``kind`` now."""
        if kind in self._announced:
            # A copy, since ``_take`` may be comparing the original with the model before.
            self._want(msgspec.structs.replace(self._announced[kind]))

    def drop_all(self, fault: str) -> None:
        """End all shadows because of an error that no single model caused."""
        self._submit(self._shadows.drop_all, fault)

    async def _take(self, kind: Kind, announcement: Announcement) -> None:
        started = self._clock()
        running = self._shadows.running(kind)
        is_serving = announcement.sha256 == self._scorer.models[kind].ref.sha256
        loop = asyncio.get_running_loop()
        if running is not None and (is_serving or running != announcement):
            await loop.run_in_executor(self._executor, self._end, kind)
        if not is_serving and announcement not in (running, self._shadows.failed(kind)):
            network = await self._loaded(kind, announcement)
            if network is None:
                return
            await loop.run_in_executor(self._executor, self._shadows.start, announcement, network)
            logger.info(
                "shadow started: %s model %s %s (%s) on a share of %g; loaded in %.1f s",
                kind,
                announcement.name,
                announcement.version,
                announcement.ref.short,
                announcement.share,
                self._clock() - started,
            )
        self._done(kind, announcement)

    def _end(self, kind: Kind) -> None:
        """End the shadow of ``kind``; runs in the scorer's thread."""
        if self._shadows.end(kind):
            _free_networks()


class Following(NamedTuple):
    """The followers of announcements, one for each role of models."""

    models: ModelFollower
    shadows: ShadowFollower


def _free_networks() -> None:
    # A compiled network is part of reference cycles, and the worker's collection thresholds are so
    # high that it would stay in memory. Between two batches this takes no longer than a batch.
    gc.collect()
