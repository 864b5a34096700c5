"""The watch: one thread collects labels, the main thread starts a retraining when it is due."""

import logging
import math
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, get_args

from stream_detector.errors import FatalError, RetryableError, StreamDetectorError
from stream_detector.events import Kind
from stream_detector.kafka.retry import back_off
from stream_detector.settings.fields import Settings
from stream_detector.system.child_processes import ChildProcess
from stream_detector.system.disks import free_bytes
from stream_detector.web.certificates import kafka_certificates, show_certificates
from stream_detector.web.server import HealthServer
from trainer.files import LockedError, exclusive
from trainer.gate.decision import Check
from trainer.labels.collecting import Collected, collect_labels
from trainer.labels.store import LabelStore
from trainer.retraining.outcome import ENDINGS, Ending, read_outcome, remove_outcome
from trainer.watching.schedule import Attempt, Schedule, load_state, new_labels, save_state
from trainer.watching.watch_metrics import WatchMetrics

logger = logging.getLogger(__name__)

_STATE, _LOCK = "watch.json", ".watch.lock"
_TICK_SECONDS = 0.25
_COLLECT_SECONDS = 1.0
"""A label waits for others so long before it is stored."""
_FIRST_RETRY = timedelta(minutes=1)
"""After a retraining that failed; doubled each time, up to the schedule's own interval."""


class WatchPlan(NamedTuple):
    """Where the watch collects, and when and how it retrains."""

    folder: Path
    """Of state and lock."""
    labels: Path
    """The label store."""
    commands: Mapping[Kind, Sequence[str]]
    """The retraining of each kind that has a corpus."""
    environment: Mapping[str, str]
    """Of these commands."""
    schedule: Schedule


class Watcher:
    """Collects labels and retrains until it is stopped. ``run`` is called once."""

    def __init__(self, plan: WatchPlan, settings: Settings, metrics: WatchMetrics) -> None:
        self._plan = plan
        self._settings = settings
        self._metrics = metrics
        self._store = LabelStore(plan.labels)
        self._stopped = threading.Event()
        self._stored = threading.Event()
        """Set when labels may have come."""
        self._stored.set()
        self._collecting = False
        self._error: Exception | None = None
        self._retries: dict[Kind, tuple[datetime, timedelta]] = {}
        metrics.ready.set_function(lambda: float(self.readiness()[0]))
        metrics.group_info.labels(settings.labels_group_id).set(1)
        # The parent of the store, which does not exist before the first label.
        metrics.label_store_free_bytes.set_function(lambda: free_bytes(plan.folder))
        for kind in plan.commands:
            # All series from the start: an alert on an increase needs the 0 before it.
            metrics.retraining.labels(kind).set(0)
            for ending in ENDINGS:
                metrics.retrainings.labels(kind, ending)

    def readiness(self) -> tuple[bool, str]:
        """Whether it collects labels; the HTTP thread calls this."""
        return (True, "ready") if self._collecting else (False, "not collecting labels")

    def stop(self) -> None:
        """Make ``run`` return soon; safe in a signal handler."""
        self._stopped.set()

    def run(self) -> None:
        """Watch until ``stop``; call it in the main thread, whose end would end a retraining.

        Raises:
            FatalError: another watch has the folder or the group, or waiting will not help.
            StreamDetectorError: the state is damaged.
        """
        try:
            with exclusive(self._plan.folder / _LOCK):
                collector = threading.Thread(target=self._collect, name="labels")
                collector.start()
                try:
                    self._watch()
                finally:
                    self._stopped.set()
                    collector.join()
        except LockedError as error:
            raise FatalError(
                f"another watch runs in {self._plan.folder}: end it, or give another --folder and "
                "another --labels-group-id"
            ) from error
        except OSError as error:
            raise FatalError(f"{self._plan.folder} cannot be used: {error}") from error
        if self._error is not None:
            raise self._error

    # --- labels -----------------------------------------------------------------------------

    def _collect(self) -> None:
        """Collect until stopped; start again after errors that pass."""
        pauses = back_off()
        try:
            while not self._stopped.is_set():
                try:
                    collect_labels(
                        self._settings,
                        self._store,
                        follow=True,
                        interval=_COLLECT_SECONDS,
                        from_beginning=False,
                        stopped=self._is_stopped,
                        tell=logger.info,
                        on_batch=self._batch_stored,
                    )
                except RetryableError as error:
                    if self._collecting:  # A new outage: begin with the short pauses again.
                        pauses = back_off()
                    pause = next(pauses)
                    self._metrics.collector_errors.inc()
                    logger.warning("%s; trying again in %.1f s", error, pause)
                    self._collecting = False
                    self._stopped.wait(pause)
                finally:
                    self._collecting = False
        except Exception as error:  # noqa: BLE001 - a watch that does not collect has to end
            self._error = error
            self._stopped.set()

    def _is_stopped(self) -> bool:
        """The collector calls this again and again, which shows that it collects."""
        self._collecting = True
        return self._stopped.is_set()

    def _batch_stored(self, batch: Collected) -> None:
        self._metrics.label_dead_letters.inc(batch.dead_letters)
        self._stored.set()

    # --- retraining -------------------------------------------------------------------------

    def _watch(self) -> None:
        path = self._plan.folder / _STATE
        state = load_state(path, now=datetime.now(UTC))
        save_state(path, state)
        labels: dict[Kind, int] = {}
        while not self._stopped.is_set():
            if self._stored.is_set():
                self._stored.clear()
                labels = {kind: self._store.count(kind) for kind in get_args(Kind)}
                for kind, count in labels.items():
                    self._metrics.labels.labels(kind).set(count)
            for kind in self._plan.commands:
                count, last = labels[kind], state.attempts.get(kind)
                self._metrics.new_labels.labels(kind).set(new_labels(count, last))
                now = datetime.now(UTC)
                due = self._plan.schedule.is_due(
                    labels=count, last=last, since=state.since, now=now
                )
                # A failure counts as no attempt, so that the kind stays due; the pause spares the
                # machine where every attempt fails.
                if due and now >= self._retries.get(kind, (now,))[0]:
                    ending = self._retrain(kind)
                    if ending is None:  # Stopped: the next watch begins it again.
                        return
                    if ending != "failed":
                        state = state.after(kind, Attempt(datetime.now(UTC), count, ending))
                        save_state(path, state)
            self._stopped.wait(_TICK_SECONDS)

    def _retrain(self, kind: Kind) -> Ending | None:
        """Run one retraining; returns how it ended, or None after ``stop``."""
        folder = self._plan.folder
        log = folder / f"retraining-{kind}.log"
        log.unlink(missing_ok=True)
        # Here too: the process may die before it removes the outcome of the one before.
        remove_outcome(folder, kind)
        logger.info("retraining the %s model; its log is %s", kind, log)
        started = time.monotonic()
        self._metrics.retraining.labels(kind).set(1)
        # A process of its own: TensorFlow never gives memory back, and may crash.
        with ChildProcess(
            self._plan.commands[kind], log=log, environment=self._plan.environment
        ) as child:
            while (code := child.exit_code) is None:
                if self._stopped.wait(_TICK_SECONDS):
                    child.kill()  # The next retraining resumes from its checkpoint.
                    return None
        self._metrics.retraining.labels(kind).set(0)
        try:
            outcome = read_outcome(folder, kind)
        except StreamDetectorError as error:
            logger.warning("%s", error)
            outcome = None
        ending: Ending = "failed" if outcome is None else outcome.ending
        self._show(kind, ending, () if outcome is None else outcome.checks)
        self._metrics.retraining_seconds.labels(kind).set(time.monotonic() - started)
        if ending == "failed":
            _, pause = self._retries.get(kind, (None, _FIRST_RETRY / 2))
            pause = min(pause * 2, max(_FIRST_RETRY, self._plan.schedule.every))
            self._retries[kind] = datetime.now(UTC) + pause, pause
            logger.error(
                "retraining the %s model failed (exit code %d), trying again in %s; the end of "
                "its log: %s",
                *(kind, code, pause, child.tail(3)),
            )
        else:
            self._retries.pop(kind, None)
            logger.info("retraining the %s model: %s", kind, ending)
        return ending

    def _show(self, kind: Kind, ending: Ending, checks: Sequence[Check]) -> None:
        self._metrics.retrainings.labels(kind, ending).inc()
        self._metrics.last_retraining.labels(kind, ending).set_to_current_time()
        for check in checks:
            self._metrics.gate_checks.labels(kind, check.name).set(
                check.passed if check.measured else math.nan
            )
            if not check.passed:
                logger.warning("the gate: %s: %s", check.name, check.message)


def serve_watch(plan: WatchPlan, settings: Settings, *, port: int) -> None:
    """Watch until SIGTERM or Ctrl-C, with metrics and health pages on ``port``.

    Raises:
        FatalError, StreamDetectorError: as ``Watcher.run``; or the port can't be used.
    """
    metrics = WatchMetrics()
    watcher = Watcher(plan, settings, metrics)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watcher.stop())
    show_certificates(kafka_certificates(settings), metrics.certificates)
    with HealthServer(
        registry=metrics.registry,
        host=settings.http_host,
        port=port,
        readiness=watcher.readiness,
        web_config=settings.http_web_config,
        certificates=metrics.certificates,
    ) as health:
        logger.info("metrics and health on %s", health.url)
        watcher.run()
