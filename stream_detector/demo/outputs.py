"""Reads verdicts, alerts and dead letters as they come, into the ledger."""

import time
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from stream_detector.demo.embedded_broker import PARTITIONS
from stream_detector.demo.ledger import Highlight, Ledger
from stream_detector.settings.fields import Settings

__all__ = ["Outputs", "view_consumer"]


class _Source(msgspec.Struct):
    """The part of a verdict's ``source`` that is needed here."""

    partition: int
    offset: int
    index: int


class _Verdict(msgspec.Struct):
    """The part of a verdict that is needed here. Schema: ``data/schemas/url-verdict.json``."""

    id: str
    canonical: str
    kind: str
    score: float | None
    verdict: str
    client: str | None
    source: _Source


class _Event(msgspec.Struct):
    """An alert's ``event``; its id is that of the verdict that raised it."""

    id: str


class _Alert(msgspec.Struct):
    """The part of an alert that is needed here. Schema: ``data/schemas/url-alert.json``."""

    event: _Event


def view_consumer(settings: Settings) -> Consumer:
    """A consumer of the embedded broker that commits nothing; what to read is for the caller."""
    return Consumer(
        {
            "bootstrap.servers": ",".join(settings.bootstrap_servers),
            "group.id": "demo-view",
            "enable.auto.commit": False,
            # The embedded broker lets an idle fetch wait that long even if records come.
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )


class Outputs:
    """A consumer of the three output topics, from their beginning. Close it after use."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        """Read from the cluster that ``settings`` name, without joining a group."""
        self._ledger = ledger
        self._verdict_of = msgspec.json.Decoder(_Verdict).decode
        self._alert_of = msgspec.json.Decoder(_Alert).decode
        self._readers = {
            settings.topic(settings.verdicts_topic): self._verdict,
            settings.topic(settings.alerts_topic): self._alert,
            settings.topic(settings.dead_letters_topic): self._dead_letter,
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
        """Put what comes within ``seconds`` into the ledger.

        Raises ``KafkaException`` if a topic cannot be read.
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
        verdict = self._verdict_of(message.value() or b"")
        source = verdict.source
        highlight = Highlight(
            id=verdict.id,
            score=verdict.score,
            verdict=verdict.verdict,
            kind=verdict.kind,
            client=verdict.client or "",
            text=verdict.canonical,
        )
        self._ledger.verdict(source.partition, source.offset, source.index, highlight, seen)

    def _alert(self, message: Message, seen: float) -> None:
        del seen
        self._ledger.alerts.add(self._alert_of(message.value() or b"").event.id)

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._consumer.close()
