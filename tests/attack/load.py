"""The two loads of an attack: a steady one of ordinary records, and one of hostile batches."""

import asyncio
import csv
import gzip
import json
import time
from collections.abc import Iterable, Iterator

from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaError, Message, Producer

from attack.kinds import Batch
from support.background import Background
from support.processes import ROOT

__all__ = ["HostileLoad", "OrdinaryLoad"]

_TICK_SECONDS = 0.02
_FLUSH_SECONDS = 60.0
_CORPUS = ROOT / "data" / "labelled" / "urls.csv.gz"


def _ordinary_values() -> Iterator[bytes]:
    """One URL a record, plain or as JSON; no two are the same, so that the model scores each."""
    with gzip.open(_CORPUS, "rt", encoding="utf-8", newline="") as rows:
        urls = [row["url"] for row in csv.DictReader(rows)]
    number = 0
    while True:
        for url in urls:
            number += 1
            text = f"{url}{'&' if '?' in url else '?'}visit={number}"
            is_json = number % 2
            yield (json.dumps({"url": text, "client": "10.0.0.7"}) if is_json else text).encode()


class OrdinaryLoad(Background):
    """Writes ``rate`` records a second to ``topic`` until the block ends."""

    def __init__(self, bootstrap_servers: str, topic: str, *, rate: float) -> None:
        self._topic = topic
        self._rate = rate
        self._producer = Producer(
            {"bootstrap.servers": bootstrap_servers, "log_level": 2, "linger.ms": 5, "acks": "all"}
        )
        self._values = _ordinary_values()
        super().__init__("ordinary")
        self.sent = 0
        self.refused: list[str] = []
        """Why Kafka refused a record; none should be."""

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.wait(_TICK_SECONDS):
            due = int((time.monotonic() - started) * self._rate)
            for _ in range(self.sent, due):
                self._producer.produce(
                    self._topic, next(self._values), on_delivery=self._on_delivery
                )
            self.sent = due
            self._producer.poll(0)
        if left := self._producer.flush(_FLUSH_SECONDS):
            self.refused.append(f"{left} records were not delivered in {_FLUSH_SECONDS:g} s")

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.refused.append(str(error))


class HostileLoad(Background):
    """Writes ``batches`` to ``topic`` as fast as Kafka takes them, one record batch each."""

    def __init__(
        self, bootstrap_servers: str, topic: str, batches: Iterable[Batch], *, partitions: int
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._batches = batches
        self._partitions = partitions
        super().__init__("hostile")
        self.records = 0
        """That Kafka has."""
        self.unpacked_bytes = 0
        self.began_ms: int | None = None
        """When Kafka got the first batch, by its clock."""
        self.failure: BaseException | None = None
        """Why it ended before its last batch."""

    @property
    def is_done(self) -> bool:
        """Has it written all, or failed?"""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._write())
        except Exception as error:
            self.failure = error

    async def _write(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            acks="all",
            compression_type="zstd",
            max_batch_size=1 << 30,
        )
        await producer.start()
        try:
            for number, hostile in enumerate(self._batches):
                if self._stop.is_set():
                    return
                batch = producer.create_batch()
                now = int(time.time() * 1000)
                for value, key, headers in hostile.records:
                    batch.append(key=key, value=value, timestamp=now, headers=list(headers))
                sent = await producer.send_batch(
                    batch, self._topic, partition=number % self._partitions
                )
                stored = await sent
                if self.began_ms is None:
                    self.began_ms = stored.timestamp
                self.records += len(hostile.records)
                self.unpacked_bytes += hostile.unpacked_bytes
        finally:
            await producer.stop()
