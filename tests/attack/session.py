"""Attacks on running workers: what is started, what is written, and what is measured."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from attack.kinds import SECRET, Batch
from attack.load import HostileLoad, OrdinaryLoad
from attack.outputs import OutputReader, Place, owing
from attack.result import Ending, Wave, percentile
from storm.accounting import Count
from storm.fleet import Fleet, State
from storm.progress import Progress
from stream_detector.kafka.topics import cluster_id
from stream_detector.settings.fields import Settings
from support.broker import KafkaBroker
from support.commands import run_command
from support.memory import peak_bytes
from support.records import committed_offsets, each_record, end_offsets

__all__ = ["Session", "running"]

_ORDINARY, _HOSTILE = "url-events", "attack-events"
_PARTITIONS = 4
_QUIET_SECONDS = 3.0
_READY_SECONDS = 300.0
_STILL_SECONDS = 120.0
"""Once nothing is committed for so long, what is left counts as lost."""
_POLL_SECONDS = 1.0
_TICK_SECONDS = 0.25
_SETTINGS = Settings()
_VERDICTS, _ALERTS, _DEAD_LETTERS = _SETTINGS.output_topic_names


class _Ends(NamedTuple):
    """Where both input topics end."""

    ordinary: dict[tuple[str, int], int]
    hostile: dict[tuple[str, int], int]


class Session:
    """Workers that are ready, and a topic of each kind; ``running`` makes it."""

    def __init__(
        self, broker: KafkaBroker, fleet: Fleet, outputs: OutputReader, progress: Progress
    ) -> None:
        self._broker = broker
        self._servers = broker.bootstrap_servers
        self._fleet = fleet
        self._outputs = outputs
        self._progress = progress
        self._cluster = cluster_id(Settings(bootstrap_servers=[self._servers]))

    def play(self, name: str, batches: Iterable[Batch], *, rate: float) -> Wave:
        """Write ``batches`` beside ``rate`` ordinary records a second; back when all is done."""
        self._progress.stage(f"attack: {name}")
        self._forget_peaks()
        before, wire_before = self._ends(), self._hostile_bytes()
        ordinary = OrdinaryLoad(self._servers, _ORDINARY, rate=rate)
        hostile = HostileLoad(self._servers, _HOSTILE, batches, partitions=_PARTITIONS)
        with ordinary:
            self._wait(_QUIET_SECONDS)
            with hostile:
                self._drain(hostile)
        self._drain(hostile)
        after = self._ends()
        self._progress.stage("reading what came out")
        self._outputs.read_on()
        times = self._ordinary_times(before.ordinary)
        began = hostile.began_ms or 0
        ended = self._outputs.last_ms.get(_HOSTILE, began)
        latencies = {
            place: self._outputs.written[place] - at
            for place, at in times.items()
            if place in self._outputs.written
        }
        refused = [*ordinary.refused, *([repr(hostile.failure)] if hostile.failure else [])]
        wave = Wave(
            name=name,
            records=hostile.records,
            wire_bytes=self._hostile_bytes() - wire_before,
            unpacked_bytes=hostile.unpacked_bytes,
            seconds=max(1, ended - began) / 1000,
            peak_bytes=[peak_bytes(worker.process.pid) for worker in self._fleet.workers],
            ordinary=len(times),
            quiet_ms=[took for place, took in latencies.items() if times[place] < began],
            ordinary_ms=[
                took for place, took in latencies.items() if began <= times[place] <= ended
            ],
            outputs=self._outputs.outputs,
            lost=[
                self._lost(_ORDINARY, before.ordinary, after.ordinary),
                self._lost(_HOSTILE, before.hostile, after.hostile),
            ],
            refused=refused,
        )
        self._progress.stage(
            f"{wave.records:,} records in {wave.seconds:.1f} s, peak "
            f"{max(wave.peak_bytes, default=0) / 1e9:.2f} GB, ordinary p99 "
            f"{percentile(wave.ordinary_ms, 99):,.0f} ms"
        )
        return wave

    def end(self) -> Ending:
        """Stop the workers by SIGTERM, and look through their logs."""
        alive = len(self._fleet.workers)
        for worker in list(self._fleet.workers):
            self._fleet.terminate(worker, comes_back=False)
        while self._fleet.workers:
            self._tick("workers end")
        in_logs = Count()
        for log in self._fleet.logs:
            for number, line in enumerate(log.open(encoding="utf-8", errors="replace"), start=1):
                if SECRET in line:
                    in_logs.add(f"{log.name}:{number}")
        return Ending(alive, self._fleet.misbehaved, self._outputs.secrets, in_logs)

    def wait_until_ready(self, workers: int) -> None:
        """Wait for all workers. Raises ``SystemExit`` where one does not come up."""
        self._progress.stage("waiting for the workers to be ready")
        deadline = time.monotonic() + _READY_SECONDS
        while self._fleet.counted(State.READY) < workers:
            if time.monotonic() > deadline or self._fleet.misbehaved.count:
                logs = "\n".join(worker.process.tail() for worker in self._fleet.workers)
                raise SystemExit(f"attack: not all workers became ready; they wrote:\n{logs}")
            self._tick("starting")

    def _drain(self, hostile: HostileLoad) -> None:
        """Wait until the load is done and both topics are committed to the end they have now.

        Of the ordinary topic, which goes on, that is the end that it had at the beginning.
        """
        goal: _Ends | None = None
        behind, moved, next_look = -1, time.monotonic(), 0.0
        while time.monotonic() - moved < _STILL_SECONDS and self._fleet.workers:
            self._tick(f"{hostile.records:,} hostile records written, {max(behind, 0):,} behind")
            if not hostile.is_done:
                moved = time.monotonic()
            elif time.monotonic() > next_look:
                next_look = time.monotonic() + _POLL_SECONDS
                goal = goal or self._ends()
                committed = committed_offsets(self._servers, _SETTINGS.group_id)
                left = sum(
                    max(0, end - committed.get(lane, 0))
                    for ends in goal
                    for lane, end in ends.items()
                )
                if left != behind:
                    behind, moved = left, time.monotonic()
                if not left:
                    return

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._tick("ordinary records alone")

    def _tick(self, state: str) -> None:
        self._fleet.tick(lambda: 0.0)
        self._progress.show(f"{state}  |  workers {len(self._fleet.workers)}")
        time.sleep(_TICK_SECONDS)

    def _ends(self) -> _Ends:
        return _Ends(end_offsets(self._servers, _ORDINARY), end_offsets(self._servers, _HOSTILE))

    def _hostile_bytes(self) -> int:
        """What the hostile topic takes on the broker's disk: its batches, as they were sent."""
        logs = (self._broker.folder / "data").glob(f"{_HOSTILE}-*/*.log")
        return sum(log.stat().st_size for log in logs)

    def _ordinary_times(self, starts: dict[tuple[str, int], int]) -> dict[Place, int]:
        """When Kafka got each ordinary record from ``starts``, in milliseconds."""
        return {
            (_ORDINARY, record.partition, record.offset): record.timestamp
            for record in each_record(self._servers, _ORDINARY)
            if record.offset >= starts[_ORDINARY, record.partition]
        }

    def _lost(
        self, topic: str, starts: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]
    ) -> Count:
        places = {
            (topic, number, offset)
            for (_, number), end in ends.items()
            for offset in range(starts[topic, number], end)
        }
        return owing(self._servers, self._cluster, topic, places - self._outputs.written.keys())

    def _forget_peaks(self) -> None:
        for worker in self._fleet.workers:
            Path(f"/proc/{worker.process.pid}/clear_refs").write_text("5")


@contextmanager
def running(folder: Path, *, workers: int, progress: Progress) -> Iterator[Session]:
    """A broker, its topics, and so many workers with default settings and models."""
    # Outputs get Kafka's time too, as input topics do anyway.
    times = "log.message.timestamp.type=LogAppendTime"
    with KafkaBroker(folder / "kafka", properties=[times]) as broker:
        settings = {
            "BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "INPUT_TOPICS": f"{_ORDINARY},{_HOSTILE}",
            "TOPIC_PARTITIONS": str(_PARTITIONS),
        }
        done = run_command("topics", "create", settings=settings)
        assert done.returncode == 0, done.stderr.decode()
        outputs = OutputReader(
            broker.bootstrap_servers,
            verdicts=_VERDICTS,
            alerts=_ALERTS,
            dead_letters=_DEAD_LETTERS,
        )
        with outputs, closing(Fleet(folder, settings)) as fleet:
            for _ in range(workers):
                # Whatever ends is a finding: nobody starts it again.
                fleet.start().comes_back = False
            session = Session(broker, fleet, outputs, progress)
            session.wait_until_ready(workers)
            yield session
