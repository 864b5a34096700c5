"""Causes of failures: each begins when the block is entered, and has ended when it is left."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from night.models import announce_model, damage, store_model
from night.traffic import Stream, evil, ordinary
from night.world import World
from support.broker import KafkaBroker
from support.cluster import KafkaCluster
from support.labels import label_record

__all__ = [
    "backlog",
    "broker_away",
    "burst",
    "certificate_near_end",
    "clock_off",
    "damaged_bundle",
    "foreign_consumer",
    "input_topic_deleted",
    "kafka_frozen",
    "kafka_stopped",
    "label_disk",
    "model_store_away",
    "output_topic_deleted",
    "records_are",
    "rolling_restart",
    "silence",
    "worker_frozen",
    "worker_killed",
]

Cause = Callable[[World], AbstractContextManager[None]]

_LATE_SECONDS = 60.0
_READY_SECONDS = 120.0
_END_SECONDS = 60.0
_LABELS = "url-labels"


def backlog(topic: str, count: int) -> Cause:
    """Workers start on so many records that have waited for a minute: all of them are late."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        world.traffic.write(topic, count)
        world.wait(lambda: False, seconds=_LATE_SECONDS, state="records wait")
        world.start()
        yield

    return cause


def burst(topic: str, count: int, malicious: int) -> Cause:
    """So many records at once, a few of which are malicious."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        world.traffic.write(topic, malicious, evil)
        world.traffic.write(topic, count)
        yield

    return cause


@contextmanager
def rolling_restart(world: World) -> Iterator[None]:
    """Each worker is stopped and started again when the one before is ready."""
    for worker in world.workers:
        worker.terminate()
        state = f"{worker.name} restarts"
        world.wait(lambda worker=worker: worker.has_ended, seconds=_END_SECONDS, state=state)
        worker.start()
        world.wait(worker.is_ready, seconds=_READY_SECONDS, state=state)
    yield


def clock_off(topic: str, seconds: float) -> Cause:
    """The shipper's clock is so far ahead; below 0: behind."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        world.traffic.streams[topic].clock_offset = seconds
        yield
        world.traffic.streams[topic].clock_offset = 0.0

    return cause


def records_are(topic: str, record: Callable[[int], bytes]) -> Cause:
    """The topic gets such records, and no others."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        world.traffic.streams[topic].record = record
        yield
        world.traffic.streams[topic].record = ordinary

    return cause


def silence(topic: str) -> Cause:
    """Nothing is written to the topic."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        stream = world.traffic.streams[topic]
        rate, stream.rate = stream.rate, 0.0
        yield
        stream.rate = rate

    return cause


@contextmanager
def worker_killed(world: World) -> Iterator[None]:
    """SIGKILL to one of the workers, and nobody starts it again until the end."""
    worker = world.workers[-1]
    worker.kill()
    yield
    worker.start()
    world.wait(worker.is_ready, seconds=_READY_SECONDS, state=f"{worker.name} starts")


@contextmanager
def worker_frozen(world: World) -> Iterator[None]:
    """SIGSTOP to one of the workers."""
    worker = world.workers[-1]
    worker.freeze()
    yield
    worker.thaw()
    world.wait(worker.is_ready, seconds=_READY_SECONDS, state=f"{worker.name} goes on")


@contextmanager
def kafka_stopped(world: World) -> Iterator[None]:
    """All of Kafka stops in order."""
    assert isinstance(world.kafka, KafkaBroker)
    world.kafka.stop()
    yield
    world.kafka.start()


@contextmanager
def kafka_frozen(world: World) -> Iterator[None]:
    """SIGSTOP to the only broker: it accepts connections, and does not answer."""
    assert isinstance(world.kafka, KafkaBroker)
    os.killpg(world.kafka.pid, signal.SIGSTOP)
    yield
    os.killpg(world.kafka.pid, signal.SIGCONT)


def broker_away(number: int) -> Cause:
    """SIGKILL to one broker of several, counted from 1."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        assert isinstance(world.kafka, KafkaCluster)
        broker = world.kafka.brokers[number - 1]
        broker.kill()
        yield
        broker.start()
        world.kafka.wait_until_healthy()

    return cause


def foreign_consumer(topic: str) -> Cause:
    """A consumer that is no detector joins the workers' group, reads and commits."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=_consume, args=(world.servers, topic, stop), daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join()

    return cause


def _consume(servers: str, topic: str, stop: threading.Event) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "stream-detector",
            "client.id": "batch-job",
            "partition.assignment.strategy": "roundrobin",
            "auto.commit.interval.ms": 500,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    while not stop.is_set():
        consumer.poll(0.2)
    consumer.close()


def input_topic_deleted(topic: str) -> Cause:
    """An input topic is deleted; at the end `topics create` makes it again."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        _delete(world, topic)
        yield
        world.create_topics()

    return cause


def output_topic_deleted(name: str, source: str) -> Cause:
    """An output topic is deleted; ``source`` gets records of which alerts are made."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        stream = world.traffic.streams[source]
        _delete(world, name)
        # Every fiftieth: a few alerts, far from a flood.
        stream.record = lambda number: evil(number) if number % 50 == 0 else ordinary(number)
        yield
        world.create_topics()
        stream.record = ordinary

    return cause


def _delete(world: World, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": world.servers, "log_level": 0})
    for deleted in admin.delete_topics([topic]).values():
        deleted.result()


@contextmanager
def model_store_away(world: World) -> Iterator[None]:
    """The store of models is away while a worker starts, which served an announced model."""
    worker = world.workers[0]
    model = store_model(world.folder / "second", world.settings)
    announce_model(model, world.settings)
    served = f'stream_detector_model_info{{sha256="{model.ref.sha256}"}} == 1'
    assert world.wait(
        lambda: bool(world.prometheus.query(served)),
        seconds=_READY_SECONDS,
        state="the announced model is loaded",
    ), "the announced model was not served"
    away = world.store.with_name("store-away")
    world.store.rename(away)
    worker.terminate()
    world.wait(lambda: worker.has_ended, seconds=_END_SECONDS, state=f"{worker.name} restarts")
    worker.start()
    yield
    shutil.rmtree(world.store, ignore_errors=True)
    away.rename(world.store)


@contextmanager
def damaged_bundle(world: World) -> Iterator[None]:
    """A bundle is announced whose files were damaged in the store."""
    good = store_model(world.folder / "second", world.settings)
    bad = store_model(world.folder / "third", world.settings)
    damage(bad, world.store)
    announce_model(bad, world.settings)
    yield
    announce_model(good, world.settings)


def label_disk(size_kib: int, free_kib: int) -> Cause:
    """The trainer goes on with its label store on a small disk, of which so much is free."""

    @contextmanager
    def cause(world: World) -> Iterator[None]:
        trainer = world.trainer
        assert trainer is not None
        labels = world.folder / "labels"
        script = (
            f"mount -t tmpfs -o size={size_kib}k tmpfs {labels} && "
            f'head -c {size_kib - free_kib}k /dev/zero > {labels}/other; exec "$@"'
        )
        # A mount that goes with the process, and needs no root.
        in_mount = ["unshare", "--map-root-user", "--mount"]
        subprocess.run([*in_mount, "true"], check=True, capture_output=True)
        trainer.kill()
        trainer.before = [*in_mount, "sh", "-c", script, "sh"]
        world.traffic.streams[_LABELS] = Stream(1.0, _label)
        trainer.start()
        yield
        trainer.kill()
        trainer.before = ()
        trainer.start()
        world.traffic.streams[_LABELS].rate = 0.0
        world.wait(trainer.is_ready, seconds=_READY_SECONDS, state="the trainer starts")

    return cause


def _label(number: int) -> bytes:
    return label_record(f"http://bad{number}.example/", labeled_at=datetime.now(UTC))


@contextmanager
def certificate_near_end(world: World) -> Iterator[None]:
    """The certificate of the trainer's server ends in five days; at the end it is renewed."""
    world.issue_certificate(days_left=5)
    yield
    world.issue_certificate(days_left=90)
