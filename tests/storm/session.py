"""A storm from its first broker to its result."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from storm.accounting import Account, OfflineReader, chunks_of
from storm.actions import ActionSchedule
from storm.brokers import Brokers
from storm.fleet import Fleet, State
from storm.load import Load
from storm.progress import Progress
from storm.report import Result
from storm.watch import Watch
from storm.worker_logs import read_logs
from stream_detector.kafka.topics import cluster_id
from stream_detector.settings.fields import Settings
from support.commands import run_command
from support.records import each_record

__all__ = ["Plan", "run"]

_TICK_SECONDS = 0.25
_FIRST_SECONDS = 300.0
_STILL_SECONDS = 300.0
"""Once calm has come, the group may stand still for so long: ``stall_timeout``, and a start."""
_SETTINGS = Settings()
_INPUT = _SETTINGS.input_topic_names[0]
_VERDICTS, _ALERTS, _DEAD_LETTERS = _SETTINGS.output_topic_names


class Plan(NamedTuple):
    """What was asked for."""

    folder: Path
    minutes: float
    workers: int
    rate: float
    """Records a second."""
    seed: int


def run(plan: Plan, console: Console) -> Result:
    """Run the storm, and account for it."""
    with Progress(console) as progress:
        progress.stage(f"storm of {plan.minutes:g} minutes, seed {plan.seed}; logs: {plan.folder}")
        with Brokers(plan.folder / "kafka") as brokers:
            settings = {"BOOTSTRAP_SERVERS": brokers.bootstrap_servers}
            _create_topics(settings)
            with closing(Fleet(plan.folder, settings)) as fleet:
                return _Session(plan, brokers, fleet, progress).run()


def _create_topics(settings: Mapping[str, str]) -> None:
    done = run_command("topics", "create", settings={**settings, "TOPIC_REPLICATION_FACTOR": "3"})
    assert done.returncode == 0, done.stderr.decode()


class _Session:
    """A storm over brokers that run."""

    def __init__(self, plan: Plan, brokers: Brokers, fleet: Fleet, progress: Progress) -> None:
        self._plan = plan
        self._brokers = brokers
        self._fleet = fleet
        self._progress = progress
        servers = brokers.bootstrap_servers
        self._schedule = ActionSchedule(fleet, brokers, workers=plan.workers, seed=plan.seed)
        self._load = Load(servers, _INPUT, rate=plan.rate, seed=plan.seed)
        self._watch = Watch(servers, _INPUT, _SETTINGS.group_id)
        self._started = time.monotonic()

    def run(self) -> Result:
        """From the first worker to the result."""
        for _ in range(self._plan.workers):
            self._fleet.start()
        first_record = time.monotonic()
        with self._watch, self._load:
            with _until_interrupted(self._progress):
                self._wait_for_the_first()
                self._started = time.monotonic()
                self._blow()
            minutes = (time.monotonic() - self._started) / 60
            caught_up_seconds = self._calm_down()
        loaded_seconds = time.monotonic() - first_record
        self._stop_workers()
        return Result(
            seed=self._plan.seed,
            minutes=minutes,
            brokers=len(self._brokers.cluster.brokers),
            workers_started=len(self._fleet.logs),
            actions=self._schedule.counts,
            delivered=self._load.delivered,
            refused=self._load.refused,
            loaded_seconds=loaded_seconds,
            caught_up_seconds=caught_up_seconds,
            behind=self._watch.behind,
            account=self._account(),
            misbehaved=self._fleet.misbehaved,
            logs=read_logs(self._fleet.logs),
            folder=self._plan.folder,
        )

    def _wait_for_the_first(self) -> None:
        self._progress.stage("waiting for the first worker to be ready")
        deadline = time.monotonic() + _FIRST_SECONDS
        while not self._fleet.counted(State.READY):
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"storm: no worker was ready after {_FIRST_SECONDS:.0f} s; the newest wrote:\n"
                    f"{self._fleet.workers[-1].process.tail()}"
                )
            self._tick()

    def _blow(self) -> None:
        self._progress.stage("the storm begins")
        end = time.monotonic() + 60 * self._plan.minutes
        while time.monotonic() < end:
            done = self._schedule.act(time.monotonic())
            if done is not None:
                self._progress.note(done)
            self._tick()

    def _calm_down(self) -> float | None:
        """Let all come back and finish; seconds that it took, None where it does not."""
        self._progress.stage("calm: no more records, all workers and brokers come back")
        started = time.monotonic()
        self._fleet.resume_all()
        while not self._brokers.are_calm:
            self._tick()
        self._load.stop()
        asked, committed, moved = self._watch.asked + 1, -1, time.monotonic()
        # One answer may be older than the last record.
        while self._watch.behind or self._watch.asked <= asked:
            if self._watch.committed != committed:
                committed, moved = self._watch.committed, time.monotonic()
            if time.monotonic() - moved > _STILL_SECONDS:
                return None
            self._tick()
        return time.monotonic() - started

    def _stop_workers(self) -> None:
        for worker in list(self._fleet.workers):
            if worker.was_ready and worker.state in {State.STARTING, State.READY}:
                self._fleet.terminate(worker, comes_back=False)
        while self._fleet.counted(State.STOPPING):
            self._tick()

    def _tick(self) -> None:
        for done in self._fleet.tick(self._schedule.draw_return_after):
            self._progress.note(done)
        fleet, brokers = self._fleet, self._brokers
        minute = (time.monotonic() - self._started) / 60
        paused = fleet.counted(State.PAUSED)
        self._progress.show(
            f"minute {minute:4.1f}  in {self._load.delivered:,}  done {self._watch.committed:,}  "
            f"workers ready {fleet.counted(State.READY)} of {fleet.wanted}"
            f"{f', paused {paused}' if paused else ''}  brokers {brokers.running}"
        )
        time.sleep(_TICK_SECONDS)

    def _account(self) -> Account:
        """Read input and outputs from their beginnings."""
        servers = self._brokers.bootstrap_servers
        cluster = cluster_id(Settings(bootstrap_servers=servers.split(",")))
        account, reader = Account(cluster, _INPUT), OfflineReader(cluster, _INPUT)
        self._progress.stage("accounting: the input, read again offline")
        for partition, records in chunks_of(each_record(servers, _INPUT)):
            account.expect(partition, reader.read(partition, records))
            self._progress.show(f"{account.records:,} of {self._load.delivered:,} records")
        self._progress.stage("accounting: verdicts, dead letters, alerts")
        for record in each_record(servers, _VERDICTS):
            account.see_verdict(record.value or b"")
            self._progress.show(f"{account.verdicts:,} verdicts, {account.owed:,} outputs are owed")
        for record in each_record(servers, _DEAD_LETTERS):
            account.see_dead_letter(record)
        for record in each_record(servers, _ALERTS):
            account.see_alert(record.key or b"")
        return account


@contextmanager
def _until_interrupted(progress: Progress) -> Iterator[None]:
    """Ctrl-C ends the block, and only that."""
    try:
        yield
    except KeyboardInterrupt:
        progress.stage("ended early by Ctrl-C")
