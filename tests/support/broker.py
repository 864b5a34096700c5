"""A real Apache Kafka, one process for broker and controller (KRaft), for tests."""

import os
import random
import shutil
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from support.processes import ROOT, ChildProcess, ProcessEndedError

__all__ = ["KafkaBroker", "java_command"]

LIBRARIES = Path(os.environ.get("KAFKA_LIBS", ROOT / ".cache" / "kafka" / "libs"))
"""The jars that ``make test`` fetches."""

_START_SECONDS = 60.0
_FORMAT_SECONDS = 60.0
_ADDRESS = "127.0.0.1"

# Below the ephemeral range: no outgoing connection takes the port while the broker is down.
_PORTS = range(18_000, 32_000)

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{address}:{controller_port}
listeners=PLAINTEXT://{address}:{port},CONTROLLER://{address}:{controller_port}
advertised.listeners=PLAINTEXT://{address}:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.dedupe.buffer.size=8388608
broker.session.timeout.ms=12000
broker.heartbeat.interval.ms=500
"""


class KafkaBroker:
    """Apache Kafka from jars, on loopback ports that stay the same over a restart.

    As a context manager it is started at the beginning of the block and killed at its end.
    """

    def __init__(self, folder: Path, *, properties: Sequence[str] = ()) -> None:
        """Keep data, settings and output in ``folder``; nothing is started yet.

        ``properties`` are lines such as ``message.max.bytes=2000000``, added to the defaults.
        """
        self.folder = folder
        self.log = folder / "kafka.log"
        self._properties = tuple(properties)
        self._process: ChildProcess | None = None
        self.port, self._controller_port = _free_ports()

    @property
    def bootstrap_servers(self) -> str:
        """Its address, ``host:port``."""
        return f"{_ADDRESS}:{self.port}"

    @property
    def running(self) -> bool:
        """Is the process there?"""
        return self._process is not None and self._process.exit_code is None

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        assert self._process is not None, "the broker has not been started"
        return self._process.pid

    def start(self) -> None:
        """Start it, on the data it had before if any, and wait until it answers.

        Raises ``ProcessEndedError`` with the end of its output if it does not.
        """
        assert not self.running, "the broker runs already"
        settings = self.folder / "server.properties"
        if not settings.exists():
            self._format(settings)
        self._process = ChildProcess(java_command("kafka.Kafka", str(settings)), log=self.log)
        try:
            self._process.wait_until(
                self._answers, timeout=_START_SECONDS, what="Kafka answers a metadata request"
            )
        except ProcessEndedError:
            self._process.kill()
            raise

    def stop(self) -> None:
        """SIGTERM: Kafka closes its logs and leaves in order. Data and port stay."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL: what a crash of the broker looks like. Data and port stay."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stop in order and start again with the same data on the same port."""
        self.stop()
        self.start()

    def create_topic(self, name: str, *, partitions: int, **settings: str) -> None:
        """Make a topic; ``settings`` are its own, with underscores for dots."""
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            topic = NewTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=1,
                topic_configs={key.replace("_", "."): value for key, value in settings.items()},
            )
            client.create_topics([topic])
        finally:
            client.close()

    def __enter__(self) -> Self:
        """The running broker."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and delete its data; settings and output stay for a look."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _format(self, settings: Path) -> None:
        """Write the settings and lay out the log folder, which Kafka wants before a first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(
            address=_ADDRESS,
            port=self.port,
            controller_port=self._controller_port,
            data=self.folder / "data",
        )
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A leading dash would be read as an option.
        cluster = "k" + cluster[1:]
        draft = settings.with_suffix(".draft")
        draft.write_text(text + "\n".join(self._properties) + "\n", encoding="utf-8")
        command = java_command("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(draft))
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ProcessEndedError(f"Kafka could not format {self.folder}:\n{done.stderr}")
        draft.rename(settings)

    def _answers(self) -> bool:
        """Does it list its topics? A plain connection first: librdkafka would log each refusal."""
        try:
            socket.create_connection((_ADDRESS, self.port), timeout=1).close()
            client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            return bool(client.list_topics(timeout=5).brokers)
        except (OSError, KafkaException):
            return False


def java_command(main_class: str, *arguments: str) -> list[str]:
    """The command that runs a class of Kafka."""
    if not any(LIBRARIES.glob("kafka_*.jar")):
        raise FileNotFoundError(
            f"Kafka's jars are not in {LIBRARIES}: run `make kafka`, "
            "or leave these tests out with `-m 'not kafka'`"
        )
    return [
        "java",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-cp",
        f"{LIBRARIES}/*",
        main_class,
        *arguments,
    ]


def _free_ports() -> tuple[int, int]:
    """Two ports that nothing listens on."""
    free: list[int] = []
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((_ADDRESS, port))
            except OSError:
                continue
        free.append(port)
        if len(free) == 2:
            return free[0], free[1]
    raise OSError(f"no two free ports between {_PORTS.start} and {_PORTS.stop}")
