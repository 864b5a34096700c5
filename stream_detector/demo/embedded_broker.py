"""A Kafka broker inside this process, for the demo: no Java, no Docker, nothing on disk.

It is the mock cluster of librdkafka (``test.mock.num.brokers`` in its CONFIGURATION.md), which
answers on a loopback port while its handle lives. It keeps records in memory, the newest 5 MB of
a partition. Groups, commits and all codecs work; transactions of other clients, access control
and CreateTopics do not: it does not show what real Kafka guarantees.
"""

from collections.abc import Iterable
from typing import Any, Self

from stream_detector.errors import SettingsError

try:
    from confluent_kafka import Producer
except ModuleNotFoundError:  # It comes with the extra ``demo``.
    Producer = None

PARTITIONS = 4
"""Partitions of each topic. librdkafka chooses the number, and Python cannot change it."""

_METADATA_SECONDS = 10.0


def require_librdkafka() -> None:
    """Raise ``SettingsError`` if confluent-kafka, which brings librdkafka, is not installed."""
    if Producer is None:
        raise SettingsError(
            "The embedded broker needs confluent-kafka, which is not installed: "
            "pip install 'stream-detector[demo]'"
        )


class EmbeddedBroker:
    """One broker on a free loopback port, from the beginning to the end of the ``with`` block.

    It creates ``topics`` at the start, and any other topic when a client first asks for it. It
    knows no request that creates one: Faust needs its ``topic_allow_declare`` off, and kafka-python
    ``api_version=(2, 0)``, the newest version that both know.

    Raises ``SettingsError`` without confluent-kafka.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self._topics = tuple(topics)
        self._handle: Any = None
        self.bootstrap_servers = ""
        """``host:port``, once started."""

    def __enter__(self) -> Self:
        """Start the broker and create its topics."""
        require_librdkafka()
        # log_level 2: the cluster's notes would otherwise go to stderr, past Python's logging.
        self._handle = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        for topic in self._topics:
            self._handle.list_topics(topic, timeout=_METADATA_SECONDS)
        brokers = self._handle.list_topics(timeout=_METADATA_SECONDS).brokers.values()
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it; every record is gone."""
        self._handle = None
