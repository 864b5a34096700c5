"""A Kafka of several real brokers, each controller too (KRaft), for tests."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from support.broker import KafkaBroker, create_topic, free_ports, new_cluster_id
from support.processes import wait_until

__all__ = ["KafkaCluster"]

_HEAP = "256m"
_HEALTHY_SECONDS = 90.0
_METADATA_SECONDS = 10.0
_POLL_SECONDS = 0.1
_IPV6_ADDRESS = "::1"

# A broker that was killed is missed after 3 s instead of 9, a controller after 1.5 instead of 2.
_PROPERTIES = """\
listeners=PLAINTEXT://127.0.0.1:{port},IPV6://[::1]:{ipv6_port},{controller_listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},IPV6://[::1]:{ipv6_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,IPV6:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.quorum.voters={voters}
controller.quorum.fetch.timeout.ms=1500
broker.session.timeout.ms=3000
default.replication.factor={replication}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replication}
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync}
"""


class KafkaCluster:
    """Brokers that hold every topic together: all have a copy, all but one must be in sync.

    ``brokers`` are in order of their node ids, which begin at 1; each is started, stopped and
    killed by itself. All keep their ports. As a context manager the cluster is started at the
    beginning of the block and killed at its end.
    """

    def __init__(self, folder: Path, brokers: int = 3, *, long_lived: bool = False) -> None:
        """Keep everything in ``folder``; nothing is started yet. ``long_lived``: as a broker's."""
        cluster_id = new_cluster_id()
        self.brokers: Sequence[KafkaBroker] = [
            KafkaBroker(
                folder / f"broker-{node_id}",
                node_id=node_id,
                cluster_id=cluster_id,
                heap=_HEAP,
                long_lived=long_lived,
            )
            for node_id in range(1, brokers + 1)
        ]
        self.ipv6_addresses = [
            f"[{_IPV6_ADDRESS}]:{port}" for port in free_ports(brokers, _IPV6_ADDRESS)
        ]
        """``[::1]:port`` of each broker; clients that begin there are sent to such addresses."""
        for broker, ipv6_address in zip(self.brokers, self.ipv6_addresses, strict=True):
            broker.properties = _PROPERTIES.format(
                port=broker.port,
                ipv6_port=ipv6_address.rpartition(":")[2],
                controller_listener=broker.controller_listener,
                voters=",".join(each.voter for each in self.brokers),
                replication=brokers,
                in_sync=max(1, brokers - 1),
            ).splitlines()

    @property
    def addresses(self) -> list[str]:
        """``host:port`` of each broker."""
        return [broker.bootstrap_servers for broker in self.brokers]

    @property
    def bootstrap_servers(self) -> str:
        """All addresses, separated by commas."""
        return ",".join(self.addresses)

    def start(self) -> None:
        """Start the brokers that do not run, and wait until all is in sync.

        Raises ``ProcessEndedError`` where a broker ends or does not answer, and ``TimeoutError``
        where they do not agree.
        """
        started = [broker for broker in self.brokers if not broker.running]
        # All at once: none answers before most are there.
        for broker in started:
            broker.format()
        for broker in started:
            broker.launch()
        for broker in started:
            broker.wait_until_it_answers()
        self.wait_until_healthy()

    def kill(self) -> None:
        """SIGKILL to all brokers. Data and ports stay."""
        for broker in self.brokers:
            broker.kill()

    def wait_until_healthy(self, timeout: float = _HEALTHY_SECONDS) -> None:
        """Wait until every broker knows all of them, and every replica is in sync.

        Raises ``TimeoutError`` after ``timeout`` seconds.
        """
        wait_until(self._is_healthy, timeout=timeout, what="all replicas are in sync")

    def leader(self, topic: str, partition: int) -> KafkaBroker:
        """The broker that leads a partition now; waits while none does."""
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while time.monotonic() < deadline:
            if (found := _metadata(self.bootstrap_servers)) and topic in found.topics:
                leader: int = found.topics[topic].partitions[partition].leader
                if leader > 0:
                    return self.brokers[leader - 1]
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{topic}[{partition}] has no leader for {_HEALTHY_SECONDS:g} s")

    def controller(self) -> KafkaBroker:
        """The broker that is the active controller now; waits while none is."""
        deadline = time.monotonic() + _HEALTHY_SECONDS
        while time.monotonic() < deadline:
            try:
                with KafkaAdminClient(bootstrap_servers=self.addresses) as admin:
                    (topic,) = admin.describe_metadata_quorum()["topics"]
                (partition,) = topic["partitions"]
                if partition["leader_id"] > 0:
                    return self.brokers[partition["leader_id"] - 1]
            except (KafkaError, OSError):
                pass
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"no controller for {_HEALTHY_SECONDS:g} s")

    def create_topic(self, name: str, *, partitions: int, **settings: str) -> None:
        """Make a topic of which every broker has a copy; ``settings`` with underscores for dots.

        Back when it is in sync everywhere.
        """
        create_topic(
            self.bootstrap_servers, name, partitions, replicas=len(self.brokers), settings=settings
        )
        self.wait_until_healthy()

    def __enter__(self) -> Self:
        """The running cluster."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and delete its data; settings and output stay for a look."""
        for broker in self.brokers:
            broker.__exit__()

    def _is_healthy(self) -> bool:
        return all(self._is_in_sync(_metadata(address)) for address in self.addresses)

    def _is_in_sync(self, metadata: ClusterMetadata | None) -> bool:
        return (
            metadata is not None
            and len(metadata.brokers) == len(self.brokers)
            and all(
                partition.leader > 0 and set(partition.isrs) == set(partition.replicas)
                for topic in metadata.topics.values()
                for partition in topic.partitions.values()
            )
        )


def _metadata(bootstrap_servers: str) -> ClusterMetadata | None:
    """What a broker of ``bootstrap_servers`` knows of the cluster; None if none answers."""
    try:
        client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        return client.list_topics(timeout=_METADATA_SECONDS)
    except KafkaException:
        return None
