"""Reads verdicts, alerts and dead letters as they come, into the ledger."""

import time
from collections.abc import Sequence

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from stream_detector.demo.embedded_broker import PARTITIONS
from stream_detector.demo.ledger import Ledger, SeenVerdict


class _Event(msgspec.Struct):
    """An alert's ``event``; its id is that of the verdict that raised it."""

    id: str


class _Alert(msgspec.Struct):
    """The part of an alert that the demo shows. Schema: ``data/schemas/url-alert.json``."""

    event: _Event


def view_consumer(servers: str) -> Consumer:
    """A consumer of the embedded broker that commits nothing; the caller assigns partitions."""
    return Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "demo-view",
            "enable.auto.commit": False,
            # The embedded broker delays an idle fetch that long even if records come.
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )


class Outputs:
    """Reads the output topics from their beginning."""

    def __init__(self, servers: str, topics: Sequence[str], ledger: Ledger) -> None:
        """``topics`` are those of verdicts, alerts and dead letters."""
        self._ledger = ledger
        readers = (self._verdict, self._alert, self._dead_letter)
        self._readers = dict(zip(topics, readers, strict=True))
        self._consumer = view_consumer(servers)
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in topics
                for partition in range(PARTITIONS)
            ]
        )

    def read(self, seconds: float) -> None:
        """Put everything that comes within ``seconds`` into the ledger.

        Raises:
            KafkaException: a topic can't be read.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self._consumer.poll(left)
            if message is None:
                continue
            if (error := message.error()) is not None:
                raise KafkaException(error)
            self._readers[message.topic() or ""](message)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _verdict(self, message: Message) -> None:
        verdict = msgspec.json.decode(message.value() or b"", type=SeenVerdict)
        self._ledger.verdict(verdict, time.time())

    def _alert(self, message: Message) -> None:
        self._ledger.alerts.add(msgspec.json.decode(message.value() or b"", type=_Alert).event.id)

    def _dead_letter(self, message: Message) -> None:
        headers = {name: value or b"" for name, value in message.headers() or []}
        place = int(headers["source-partition"]), int(headers["source-offset"])
        self._ledger.dead_letter(*place, str(headers["reason"], "utf-8"), time.time())
