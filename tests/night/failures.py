"""What is played, in which world and in which order."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from night.play import Failure
from night.traffic import evil, garbage, ordinary
from night.world import Parts, World

__all__ = ["FAILURES", "WORLDS"]

_BUSY, _QUIET = "url-events", "dns-events"
_READY_SECONDS = 120.0

WORLDS: Sequence[Parts] = [
    Parts("records", {_BUSY: 30, _QUIET: 5}, workers=2),
    Parts("kafka", {_BUSY: 30, _QUIET: 5}, trainer=True),
    Parts("cluster", {_BUSY: 30, _QUIET: 5}, brokers=3),
]


@contextmanager
def _start_with_backlog(world: World) -> Iterator[None]:
    world.traffic.write(_BUSY, 20_000)
    world.start()
    yield


@contextmanager
def _nothing(world: World) -> Iterator[None]:
    yield


@contextmanager
def _garbage(world: World) -> Iterator[None]:
    stream = world.traffic.streams[_BUSY]
    stream.record = garbage
    yield
    stream.record = ordinary


@contextmanager
def _kafka_stopped(world: World) -> Iterator[None]:
    world.kafka.stop()
    yield
    world.kafka.start()


FAILURES: Sequence[Failure] = [
    Failure(
        "backlog",
        "workers start on 20,000 records that wait",
        "records",
        _start_with_backlog,
        within=30,
        starts_by_itself=True,
    ),
    Failure("ordinary", "ordinary records alone", "records", _nothing, within=60),
    Failure(
        "garbage",
        "all records of a topic are garbage",
        "records",
        _garbage,
        ["DeadLettersMost"],
        also=["DeadLettersHigh"],
    ),
    Failure("kafka-stopped", "Kafka stops", "kafka", _kafka_stopped, ["DetectorNotReady"]),
]
