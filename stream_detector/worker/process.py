"""The worker's process: ask Kafka, warm up, join the group, follow announced models.

It ends by SIGTERM or SIGINT, or by the first error that no retry mends.
"""

import asyncio
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from stream_detector import __version__
from stream_detector.assembly import decider_of, shadows_of, sources_by_topic
from stream_detector.errors import FatalError, RetryableError
from stream_detector.events import Kind
from stream_detector.kafka.announcements import current_announcements
from stream_detector.kafka.retry import back_off
from stream_detector.kafka.topics import cluster_id, problems_at_start
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import TextScorer
from stream_detector.models.serving import load_scorer, model_device
from stream_detector.policy.decider import Decider
from stream_detector.policy.shadow import Shadows
from stream_detector.settings.fields import Settings
from stream_detector.web.certificates import kafka_certificates, show_certificates
from stream_detector.web.server import HealthServer
from stream_detector.worker.app import DetectorApp, Following, create_app
from stream_detector.worker.model_following import (
    ModelFollower,
    check_store_settings,
    loads_under_way,
    networks_of,
)
from stream_detector.worker.shadow_following import ShadowFollower

__all__ = ["run_worker"]

logger = logging.getLogger(__name__)

_STOP_MARGIN_SECONDS = 15.0
_CLOSE_SECONDS = 5.0
"""For leaving the group and closing connections, once all is committed or given up."""
_REPEAT_SECONDS = 60.0
"""A fault of Kafka that lasts is told again after so long."""
_GC_THRESHOLD = 1_000_000
"""Objects; more than are under way at once, so that a collection looks for cycles, not at them."""


def run_worker(settings: Settings, *, scorer: TextScorer | None = None) -> int:
    """Run a worker until SIGTERM or SIGINT (exit code 0) or a fatal error (its exit code)."""
    process = _Process(settings, scorer)
    logger.info(
        "worker of stream-detector %s starts",
        __version__,
        extra={
            "group_id": settings.group_id,
            "input_topics": settings.input_topic_names,
            "client_pseudonyms": settings.client_pseudonyms,
            "mask_queries": settings.mask_queries,
        },
    )
    show_certificates(kafka_certificates(settings), process.metrics.certificates)
    with asyncio.Runner() as runner:
        try:
            with HealthServer(
                registry=process.metrics.registry,
                host=settings.http_host,
                port=settings.http_port,
                readiness=process.readiness,
                loop=runner.get_loop(),
                web_config=settings.http_web_config,
                certificates=process.metrics.certificates,
            ) as health:
                logger.info("metrics and health on %s", health.url)
                runner.run(process.serve())
            code = 0
        except FatalError as error:
            logger.critical(
                "%s", error, extra={"error": type(error).__name__, "exit_code": error.exit_code}
            )
            code = error.exit_code
        if process.left_running or loads_under_way():
            # Here, since the runner would wait for what nothing can tell to stop.
            logging.shutdown()
            os._exit(code)
    return code


class _Process:
    """One worker process from its start to its end."""

    def __init__(self, settings: Settings, scorer: TextScorer | None) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._scorer = scorer
        self._app: DetectorApp | None = None
        self._kafka_fault = ""
        """What keeps the start from Kafka; empty if nothing does."""
        self.left_running = False
        """Whether something was left that nothing can tell to stop: a thread that loads the model,
        a client of a Kafka that does not answer."""
        self.metrics.show_group(settings.group_id)
        if settings.model_store and "://" not in settings.model_store:
            self.metrics.show_free_space(Path(settings.model_store))
        self.metrics.ready.set_function(lambda: float(self.readiness()[0]))

    def readiness(self) -> tuple[bool, str]:
        """Whether the worker does its work, and if not, why; called from the HTTP thread."""
        if self._app is None:
            return False, self._kafka_fault or "warming up"
        return self._app.readiness()

    def _report(self, kafka_fault: str) -> None:
        self._kafka_fault = kafka_fault

    async def serve(self) -> None:
        """Start, run until a signal or an error, stop.

        Raises:
            FatalError: what stopped the worker, if it was not a signal.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stop.set)
        executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        app: DetectorApp | None = None
        try:
            starting = loop.create_task(
                _start(self._settings, self._scorer, self.metrics, executor, self._report)
            )
            try:
                app = await _unless(stop, starting)
            finally:
                self.left_running = app is None
            if app is None:
                logger.info("stopped before it was ready")
                return
            self._app = app
            app.watch(app.start())
            await _first(stop.wait(), app.failed.wait(), app.wait_until_stopped())
        finally:
            _end_by_force_after(self._settings.shutdown_timeout + _STOP_MARGIN_SECONDS)
            if app is not None:
                await self._stop(app)
            executor.shutdown(wait=False, cancel_futures=True)
        if app.error is not None:
            raise app.error
        if app.crash_reason is not None:
            raise FatalError(f"Faust stopped: {app.crash_reason!r}") from app.crash_reason
        logger.info("stopped")

    async def _stop(self, app: DetectorApp) -> None:
        """Stop the app; its clients only for so long, once what is under way is finished."""
        stopping = asyncio.create_task(app.stop())
        await _first(app.finished.wait(), asyncio.wait({stopping}))
        await asyncio.wait({stopping}, timeout=_CLOSE_SECONDS)
        if stopping.done():
            stopping.result()
            return
        self.left_running = True
        logger.warning(
            "Kafka's clients did not close in %.0f s and are left: the group misses this worker "
            "when its session times out",
            _CLOSE_SECONDS,
        )


async def _start(
    settings: Settings,
    scorer: TextScorer | None,
    metrics: Metrics,
    executor: ThreadPoolExecutor,
    report: Callable[[str], object],
) -> DetectorApp:
    """Ask Kafka and warm the model up at the same time, make the app.

    Neither waits for the other, so that the first fault of either ends the start at once: Kafka
    may be away for hours, and a model takes seconds to load.
    Where models are announced Kafka comes first: the first record is scored by what is announced.
    ``report`` gets what keeps this from Kafka, and an empty text when nothing does any more.
    """
    sources_by_topic(settings)
    if scorer is None and settings.model_store:
        return await _start_following(settings, metrics, executor, report)
    shadows = shadows_of(settings=settings, metrics=metrics)
    asking = asyncio.create_task(_reach_kafka(settings, report))
    warming = asyncio.create_task(
        _warm(lambda: scorer or load_scorer(settings), settings, metrics, shadows, executor)
    )
    try:
        cluster, (_, decider) = await asyncio.gather(asking, warming)
    finally:
        asking.cancel()
        warming.cancel()
    return create_app(
        settings, decider=decider, metrics=metrics, cluster=cluster, executor=executor
    )


async def _start_following(
    settings: Settings,
    metrics: Metrics,
    executor: ThreadPoolExecutor,
    report: Callable[[str], object],
) -> DetectorApp:
    """As ``_start``, with the models that are announced, which the app then follows."""
    check_store_settings(settings)
    if settings.model_public_key is None:
        logger.warning(
            "no model_public_key is set: whoever may WRITE topic %s decides which model serves. "
            "Give that right to the trainer alone (`stream-detector topics acls` shows how), or "
            "sign (`stream-trainer models new-key`)",
            settings.topic(settings.models_topic),
        )
    cluster = await _reach_kafka(settings, report)
    # TensorFlow takes seconds to import, which are not the announced models' fault.
    await asyncio.get_running_loop().run_in_executor(executor, model_device, settings)
    networks = await networks_of(await _announced(settings), settings, metrics)
    shadows = shadows_of(settings=settings, metrics=metrics)
    scorer, decider = await _warm(
        lambda: load_scorer(settings, networks), settings, metrics, shadows, executor
    )
    shadow_follower = ShadowFollower(
        shadows, scorer, settings=settings, metrics=metrics, executor=executor
    )
    follower = ModelFollower(
        scorer,
        settings=settings,
        metrics=metrics,
        executor=executor,
        after_switch=shadow_follower.reconsider,
    )
    return create_app(
        settings,
        decider=decider,
        metrics=metrics,
        cluster=cluster,
        executor=executor,
        following=Following(follower, shadow_follower),
    )


_AnyScorer = TypeVar("_AnyScorer", bound=TextScorer)


async def _warm(
    load: Callable[[], _AnyScorer],
    settings: Settings,
    metrics: Metrics,
    shadows: Shadows,
    executor: ThreadPoolExecutor,
) -> tuple[_AnyScorer, Decider]:
    """The scorer that ``load`` gives, compiled, and what decides by it; in the scorer's thread."""

    def warm() -> tuple[_AnyScorer, Decider]:
        scorer = load()
        decider = decider_of(scorer, settings=settings, metrics=metrics, shadows=shadows)
        scorer.warm_up()
        _describe(scorer, metrics)
        return scorer, decider

    started = time.monotonic()
    scorer, decider = await asyncio.get_running_loop().run_in_executor(executor, warm)
    # What is loaded by now stays: no collection need look at it again, and batches of thousands
    # of short-lived objects should not start one each.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    logger.info(
        "model warm after %.1f s",
        time.monotonic() - started,
        extra={
            f"{kind}_model": f"{model.ref.name} {model.ref.version}"
            for kind, model in scorer.models.items()
        },
    )
    return scorer, decider


async def _reach_kafka(settings: Settings, report: Callable[[str], object]) -> str:
    """Wait for Kafka, and check the topics; returns the cluster's name for verdict ids.

    Raises:
        FatalError: an output topic or all input topics are missing, or Kafka refuses this client.
    """
    fault, told_at = "", 0.0
    for pause in back_off():
        try:
            cluster = settings.cluster or await asyncio.to_thread(cluster_id, settings)
            problems = await asyncio.to_thread(problems_at_start, settings)
            report("")
            break
        except RetryableError as error:
            report(str(error))
            now, before, fault = time.monotonic(), fault, str(error)
            if fault != before or now - told_at >= _REPEAT_SECONDS:
                told_at = now
                logger.warning("%s; trying again until then", fault)
            await asyncio.sleep(pause)
    if problems:
        raise FatalError("; ".join(problems))
    return cluster


async def _announced(settings: Settings) -> Mapping[Kind, Announcement]:
    """What is announced; nothing where that can't be read now, since following tries again."""
    try:
        return (await current_announcements(settings)).serving
    except RetryableError as error:
        logger.warning("%s; the bundles of the settings serve until then", error)
        return {}


async def _unless(stop: asyncio.Event, work: asyncio.Task[DetectorApp]) -> DetectorApp | None:
    """The result of ``work``, or None if ``stop`` came first."""
    await _first(stop.wait(), asyncio.wait({work}))
    if work.done():
        return work.result()
    work.cancel()
    return None


async def _first(*conditions: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of ``conditions``."""
    tasks = [asyncio.ensure_future(condition) for condition in conditions]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _end_by_force_after(seconds: float) -> None:
    """A last resort: a thread that hangs in a library must not keep the process for ever."""

    def end() -> None:
        logger.critical("did not stop within %.0f s, ending by force", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _describe(scorer: TextScorer, metrics: Metrics) -> None:
    """Show which models serve, since when, and where."""
    metrics.device_info.labels(scorer.device).set(1)
    for kind, model in scorer.models.items():
        metrics.show_model(kind, model)
