"""A Kafka broker inside this process, for the demo: no Java, no Docker, nothing on disk.

It is the mock cluster of librdkafka (``test.mock.num.brokers`` in its CONFIGURATION.md), which
answers on a loopback port while its handle lives. Records are kept in memory, the newest 5 MB
of a partition. Groups, commits and all codecs work; transactions of other clients, access
control and CreateTopics do not: it is no measure of what real Kafka guarantees.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, Self

from stream_detector.errors import SettingsError

PARTITIONS = 4
"""Partitions of each topic, which librdkafka sets and Python cannot change."""

_METADATA_SECONDS = 10.0


def require_librdkafka() -> None:
    """Raise ``SettingsError`` if confluent-kafka, which brings librdkafka, is not installed."""
    if find_spec("confluent_kafka") is None:
        raise SettingsError(
            "The embedded broker needs confluent-kafka, which is not installed: "
            "pip install 'stream-detector[demo]'"
        )


class EmbeddedBroker:
    """One broker on a free loopback port, from the beginning to the end of the ``with`` block.

    ``topics`` are made at the start. A topic that a client asks for later is made then: there
    is no request that makes one in this broker, and so Faust needs its ``topic_allow_declare``
    off, and kafka-python ``api_version=(2, 0)``, the newest that it can agree on.

    Raises ``SettingsError`` if librdkafka is not there: see ``require_librdkafka``.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self._topics = tuple(topics)
        self._handle: Any = None
        self.bootstrap_servers = ""
        """``host:port``, once started."""

    def __enter__(self) -> Self:
        """The broker, reachable and with its topics."""
        require_librdkafka()
        from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency

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
