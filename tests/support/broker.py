"""A real Apache Kafka, one process for broker and controller (KRaft), for tests.

``support.cluster`` makes one Kafka of several.
"""

import os
import random
import shutil
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from support.processes import ROOT, ChildProcess, ProcessEndedError

__all__ = ["KafkaBroker", "create_topic", "free_ports", "java_command", "new_cluster_id"]

LIBRARIES = Path(os.environ.get("KAFKA_LIBS", ROOT / ".cache" / "kafka" / "libs"))
"""The jars that ``make test`` fetches."""

_START_SECONDS = 60.0
_FORMAT_SECONDS = 60.0
_ADDRESS = "127.0.0.1"

# Below the ephemeral range: no outgoing connection takes the port while the broker is down.
_PORTS = range(18_000, 32_000)

_PROPERTIES = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voter}
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

    def __init__(
        self,
        folder: Path,
        *,
        properties: Sequence[str] = (),
        node_id: int = 1,
        cluster_id: str = "",
        heap: str = "512m",
        long_lived: bool = False,
    ) -> None:
        """Keep data, settings and output in ``folder``; nothing is started yet.

        Args:
            folder: made with the first start.
            properties: lines such as ``message.max.bytes=2000000``, added to the defaults.
            node_id: its number in the cluster.
            cluster_id: of the cluster that it belongs to; empty: a new one.
            heap: how much memory Java may take for objects.
            long_lived: let Java optimise its code, which costs a start more than a test gets back.
        """
        self.folder = folder
        self.node_id = node_id
        self.log = folder / "kafka.log"
        self._settings = folder / "server.properties"
        self.properties: Sequence[str] = tuple(properties)
        """Written into its settings with the first start."""
        self._cluster_id = cluster_id or new_cluster_id()
        self._heap = heap
        self._long_lived = long_lived
        self._process: ChildProcess | None = None
        self.port, self._controller_port = free_ports(2)

    @property
    def bootstrap_servers(self) -> str:
        """Its address, ``host:port``."""
        return f"{_ADDRESS}:{self.port}"

    @property
    def voter(self) -> str:
        """This node as Kafka's ``controller.quorum.voters`` names it."""
        return f"{self.node_id}@{_ADDRESS}:{self._controller_port}"

    @property
    def controller_listener(self) -> str:
        """The entry of ``listeners`` on which the controllers talk to each other."""
        return f"CONTROLLER://{_ADDRESS}:{self._controller_port}"

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
        self.launch()
        self.wait_until_it_answers()

    def launch(self) -> None:
        """Start the process alone: a node of a cluster answers when most of them are there."""
        assert not self.running, "the broker runs already"
        self.format()
        command = java_command(
            "kafka.Kafka", str(self._settings), heap=self._heap, long_lived=self._long_lived
        )
        self._process = ChildProcess(command, log=self.log)

    def wait_until_it_answers(self) -> None:
        """Wait for its first answer; as ``start`` where there is none."""
        assert self._process is not None, "the broker has not been started"
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
        create_topic(self.bootstrap_servers, name, partitions, replicas=1, settings=settings)

    def __enter__(self) -> Self:
        """The running broker."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and delete its data; settings and output stay for a look."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def format(self) -> None:
        """Before a first start: write the settings and lay out the log folder."""
        if self._settings.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(
            node_id=self.node_id,
            voter=self.voter,
            address=_ADDRESS,
            port=self.port,
            controller_port=self._controller_port,
            data=self.folder / "data",
        )
        draft = self._settings.with_suffix(".draft")
        draft.write_text(text + "\n".join(self.properties) + "\n", encoding="utf-8")
        command = java_command(
            "kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(draft)
        )
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ProcessEndedError(f"Kafka could not format {self.folder}:\n{done.stderr}")
        draft.rename(self._settings)

    def _answers(self) -> bool:
        """Does it list its topics? A plain connection first: librdkafka would log each refusal."""
        try:
            socket.create_connection((_ADDRESS, self.port), timeout=1).close()
            client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            return bool(client.list_topics(timeout=5).brokers)
        except (OSError, KafkaException):
            return False


def new_cluster_id() -> str:
    """An id for a new cluster, of the form that Kafka asks for."""
    random_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # A leading dash would be read as an option.
    return "k" + random_id[1:]


def java_command(
    main_class: str, *arguments: str, heap: str = "512m", long_lived: bool = False
) -> list[str]:
    """The command that runs a class of Kafka with so much memory for objects."""
    if not any(LIBRARIES.glob("kafka_*.jar")):
        raise FileNotFoundError(
            f"Kafka's jars are not in {LIBRARIES}: run `make kafka`, "
            "or leave these tests out with `-m 'not kafka'`"
        )
    return [
        "java",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        *([] if long_lived else ["-XX:TieredStopAtLevel=1"]),
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-cp",
        f"{LIBRARIES}/*",
        main_class,
        *arguments,
    ]


def create_topic(
    bootstrap_servers: str,
    name: str,
    partitions: int,
    *,
    replicas: int,
    settings: Mapping[str, str],
) -> None:
    """Make a topic; ``settings`` are its own, with underscores for dots."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap_servers.split(","))
    try:
        topic = NewTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=replicas,
            topic_configs={key.replace("_", "."): value for key, value in settings.items()},
        )
        client.create_topics([topic])
    finally:
        client.close()


def free_ports(count: int, address: str = _ADDRESS) -> list[int]:
    """Ports of ``address`` that nothing listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    free: list[int] = []
    for port in random.sample(_PORTS, 200):
        with socket.socket(family) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop}")
