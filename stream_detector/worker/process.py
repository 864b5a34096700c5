"""The worker's process: check Kafka, warm up, join the group, follow announced models.

SIGTERM, SIGINT or the first error that a retry can't mend ends it.
"""

import asyncio
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from stream_detector import __version__
from stream_detector.assembly import decider_of, pipeline_of, shadows_of
from stream_detector.errors import FatalError, RetryableError
from stream_detector.kafka.announcements import current_announcements
from stream_detector.kafka.retry import back_off
from stream_detector.kafka.topics import cluster_id, problems_at_start
from stream_detector.metrics import Metrics
from stream_detector.models.base import TextScorer
from stream_detector.models.serving import load_scorer, model_device
from stream_detector.policy.decider import Decider
from stream_detector.policy.shadow import Shadows
from stream_detector.settings.fields import Settings
from stream_detector.web.certificates import kafka_certificates, show_certificates
from stream_detector.web.server import HealthServer
from stream_detector.worker.app import DetectorApp
from stream_detector.worker.model_following import Following, ModelFollower, ShadowFollower
from stream_detector.worker.model_loading import check_store_settings, loads_under_way, networks_of

logger = logging.getLogger(__name__)

_STOP_MARGIN_SECONDS = 15.0
_CLOSE_SECONDS = 5.0
"""Time to leave the group and close connections, after the last commit."""
_REPEAT_SECONDS = 60.0
"""The interval at which the log repeats a fault of Kafka that lasts."""
_GC_THRESHOLD = 1_000_000
"""Objects. A batch makes fewer, so Python does not start a collection within each batch."""

_AnyScorer = TypeVar("_AnyScorer", bound=TextScorer)


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
            # The runner would wait for threads and clients that nothing can stop.
            logging.shutdown()
            os._exit(code)
    return code


class _Process:
    """One worker process from its start to its end."""

    def __init__(self, settings: Settings, scorer: TextScorer | None) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._scorer = scorer
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._app: DetectorApp | None = None
        self._kafka_fault = ""
        """Why the start does not reach Kafka; empty if it reached it."""
        self.left_running = False
        """Whether something still runs that nothing can stop: a thread that loads the model, a
        client of a Kafka that does not answer."""
        self.metrics.show_group(settings.group_id)
        if settings.model_store and "://" not in settings.model_store:
            self.metrics.show_free_space(Path(settings.model_store))
        self.metrics.ready.set_function(lambda: float(self.readiness()[0]))

    def readiness(self) -> tuple[bool, str]:
        """Whether the worker does its work, and if not, why; called from the HTTP thread."""
        if self._app is None:
            return False, self._kafka_fault or "warming up"
        return self._app.readiness()

    async def serve(self) -> None:
        """Start, run until a signal or an error, stop.

        Raises:
            FatalError: the worker stopped because of this error, not because of a signal.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, stop.set)
        app: DetectorApp | None = None
        try:
            starting = loop.create_task(self._start())
            try:
                await _first(stop.wait(), asyncio.wait({starting}))
                app = starting.result() if starting.done() else None
            finally:
                starting.cancel()
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
            self._executor.shutdown(wait=False, cancel_futures=True)
        if app.error is not None:
            raise app.error
        if app.crash_reason is not None:
            raise FatalError(f"Faust stopped: {app.crash_reason!r}") from app.crash_reason
        logger.info("stopped")

    async def _stop(self, app: DetectorApp) -> None:
        """Stop the app: wait for the last commit, and then a short time for its clients."""
        stopping = asyncio.create_task(app.stop())
        await _first(app.finished.wait(), asyncio.wait({stopping}))
        await asyncio.wait({stopping}, timeout=_CLOSE_SECONDS)
        if stopping.done():
            stopping.result()
            return
        self.left_running = True
        logger.warning(
            "Kafka's clients did not close in %.0f s: the group misses this worker when its "
            "session times out",
            _CLOSE_SECONDS,
        )

    # --- start ------------------------------------------------------------------------------

    async def _start(self) -> DetectorApp:
        """Reach Kafka and warm up the model at the same time, then make the app.

        The first fault of either ends the start at once: Kafka may be away for hours, and a model
        takes seconds to load.
        """
        if self._scorer is None and self._settings.model_store:
            return await self._start_following()
        asking = asyncio.create_task(self._reach_kafka())
        warming = asyncio.create_task(
            self._warm(
                lambda: self._scorer or load_scorer(self._settings),
                shadows_of(settings=self._settings, metrics=self.metrics),
            )
        )
        try:
            cluster, (_, decider) = await asyncio.gather(asking, warming)
        finally:
            asking.cancel()
            warming.cancel()
        return self._make_app(decider, cluster)

    async def _start_following(self) -> DetectorApp:
        """As ``_start``, with the announced models, which the app then follows.

        Kafka comes first, since an announced model has to score the first record.
        """
        settings = self._settings
        check_store_settings(settings)
        if settings.model_public_key is None:
            logger.warning(
                "no model_public_key is set: whoever may WRITE topic %s decides which model "
                "serves. Give only the trainer that right (`stream-detector topics acls` shows "
                "how), or sign (`stream-trainer models new-key`)",
                settings.models_topic_name,
            )
        cluster = await self._reach_kafka()
        try:
            announced = (await current_announcements(settings)).serving
        except RetryableError as error:
            # The follower reads the announcements again, and switches then.
            logger.warning("%s; the bundles of the settings serve until then", error)
            announced = {}
        # Imports TensorFlow here, so that it does not count towards a model's load timeout.
        await asyncio.get_running_loop().run_in_executor(self._executor, model_device, settings)
        networks = await networks_of(announced, settings, self.metrics)
        shadows = shadows_of(settings=settings, metrics=self.metrics)
        scorer, decider = await self._warm(lambda: load_scorer(settings, networks), shadows)
        shadow_follower = ShadowFollower(
            shadows, scorer, settings=settings, metrics=self.metrics, executor=self._executor
        )
        follower = ModelFollower(
            scorer,
            settings=settings,
            metrics=self.metrics,
            executor=self._executor,
            after_switch=shadow_follower.reconsider,
        )
        return self._make_app(decider, cluster, Following(follower, shadow_follower))

    def _make_app(
        self, decider: Decider, cluster: str, following: Following | None = None
    ) -> DetectorApp:
        self.metrics.expect_topics(self._settings.input_topic_names)
        pipeline = pipeline_of(
            settings=self._settings, decider=decider, metrics=self.metrics, cluster=cluster
        )
        return DetectorApp(
            self._settings,
            pipeline=pipeline,
            metrics=self.metrics,
            executor=self._executor,
            following=following,
        )

    async def _warm(
        self, load: Callable[[], _AnyScorer], shadows: Shadows
    ) -> tuple[_AnyScorer, Decider]:
        """Load and compile the scorer in its thread, and make its decider."""

        def warm() -> tuple[_AnyScorer, Decider]:
            scorer = load()
            decider = decider_of(
                scorer, settings=self._settings, metrics=self.metrics, shadows=shadows
            )
            # TensorFlow compiles a graph for each shape of input at its first use, which takes
            # seconds. All are compiled before the worker joins the group: Kafka would otherwise
            # give it partitions whose first batches wait for the compiler.
            scorer.warm_up()
            self.metrics.device_info.labels(scorer.device).set(1)
            for kind, model in scorer.models.items():
                self.metrics.show_model(kind, model)
            return scorer, decider

        started = time.monotonic()
        scorer, decider = await asyncio.get_running_loop().run_in_executor(self._executor, warm)
        # The objects of TensorFlow and of the models stay until the end. No collection walks them
        # once they are frozen; the high threshold keeps each batch from starting a collection.
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

    async def _reach_kafka(self) -> str:
        """Wait for Kafka and check the topics; returns the cluster's name for verdict ids.

        Raises:
            FatalError: an output topic or all input topics are missing, or Kafka refuses this
                client.
        """
        settings = self._settings
        fault, logged_at = "", 0.0
        for pause in back_off():
            try:
                cluster = settings.cluster or await asyncio.to_thread(cluster_id, settings)
                problems = await asyncio.to_thread(problems_at_start, settings)
                break
            except RetryableError as error:
                before, fault, now = fault, str(error), time.monotonic()
                self._kafka_fault = fault
                if fault != before or now - logged_at >= _REPEAT_SECONDS:
                    logged_at = now
                    logger.warning("%s; trying again", fault)
                await asyncio.sleep(pause)
        self._kafka_fault = ""
        if problems:
            raise FatalError("; ".join(problems))
        return cluster


async def _first(*conditions: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of ``conditions``."""
    tasks = [asyncio.ensure_future(condition) for condition in conditions]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _end_by_force_after(seconds: float) -> None:
    """End the process in ``seconds``, even where a thread hangs in a library."""

    def end() -> None:
        logger.critical("did not stop within %.0f s, ending by force", seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
