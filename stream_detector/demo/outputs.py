"""Reads verdicts, alerts and dead letters as they come, into the ledger."""

import time
from typing import Any, Self

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from stream_detector.demo.embedded_broker import PARTITIONS
from stream_detector.demo.ledger import Ledger, SeenVerdict
from stream_detector.settings.fields import Settings


class _Event(msgspec.Struct):
    """An alert's ``event``; its id is that of the verdict that raised it."""

    id: str


class _Alert(msgspec.Struct):
    """The part of an alert that the demo shows. Schema: ``data/schemas/url-alert.json``."""

    event: _Event


def view_consumer(settings: Settings) -> Consumer:
    """A consumer of the embedded broker that commits nothing; the caller assigns partitions."""
    return Consumer(
        {
            "bootstrap.servers": ",".join(settings.bootstrap_servers),
            "group.id": "demo-view",
            "enable.auto.commit": False,
            # The embedded broker delays an idle fetch that long even if records come.
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )


class Outputs:
    """Reads the output topics from their beginning. A context manager."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._ledger = ledger
        verdicts, alerts, dead_letters = settings.output_topic_names
        self._readers = {
            verdicts: self._verdict,
            alerts: self._alert,
            dead_letters: self._dead_letter,
        }
        self._consumer = view_consumer(settings)
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING)
                for topic in self._readers
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
            self._readers[message.topic() or ""](message, time.time())

    def _verdict(self, message: Message, seen: float) -> None:
        self._ledger.verdict(msgspec.json.decode(message.value() or b"", type=SeenVerdict), seen)

    def _alert(self, message: Message, seen: float) -> None:
        del seen
        self._ledger.alerts.add(msgspec.json.decode(message.value() or b"", type=_Alert).event.id)

    def _dead_letter(self, message: Message, seen: float) -> None:
        headers: dict[str, Any] = dict(message.headers() or [])
        self._ledger.dead_letter(
            int(headers["source-partition"]),
            int(headers["source-offset"]),
            headers["reason"].decode(),
            seen,
        )

    def __enter__(self) -> Self:
        """The consumer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._consumer.close()
