"""The load of a storm: a thread that writes records at a steady rate while brokers come and go."""

import random
import threading
import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from storm.mixture import mixture

__all__ = ["Load"]

_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_BURST_RECORDS = 500
"""Records that go through one producer before another codec has its turn."""
_FLUSH_SECONDS = 180.0
_DELIVERY_MS = 600_000
"""Longer than any outage of a broker here: no record is given up."""


class Load:
    """Writes ``rate`` records a second to ``topic`` until ``stop``; a context manager."""

    def __init__(self, bootstrap_servers: str, topic: str, *, rate: float, seed: int) -> None:
        """Nothing is sent yet."""
        self._topic = topic
        self._rate = rate
        self._seed = seed
        self._stop = threading.Event()
        self._producers = [Producer(_options(bootstrap_servers, codec)) for codec in _CODECS]
        self._thread = threading.Thread(target=self._run, name="load")
        self.sent = 0
        """Records given to producers."""
        self.delivered = 0
        """Records that Kafka has confirmed."""
        self.refused: list[str] = []
        """Why Kafka refused a record; none should be."""

    def stop(self) -> None:
        """Send no more, and wait until Kafka has all that was sent."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            for producer in self._producers:
                producer.flush(_FLUSH_SECONDS)

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        rng = random.Random(self._seed)
        values = mixture(self._seed)
        started = time.monotonic()
        producer = self._producers[0]
        while not self._stop.is_set():
            due = int((time.monotonic() - started) * self._rate)
            for number in range(self.sent, due):
                if number % _BURST_RECORDS == 0:
                    producer = rng.choice(self._producers)
                if not self._send(producer, next(values)):
                    # Where Kafka takes less than the rate, the backlog is not made up for.
                    started += (due - number) / self._rate
                    break
                self.sent += 1
            for each in self._producers:
                each.poll(0)
            self._stop.wait(0.02)

    def _send(self, producer: Producer, value: bytes | None) -> bool:
        """False where the producer's queue is full, and stays so for a while."""
        for _ in range(20):
            try:
                producer.produce(self._topic, value, on_delivery=self._on_delivery)
            except BufferError:
                producer.poll(0.1)
                if self._stop.is_set():
                    return False
            else:
                return True
        return False

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.refused.append(str(error))


def _options(bootstrap_servers: str, codec: str) -> dict[str, object]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
        "compression.type": codec,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 20,
        "message.max.bytes": 2_000_000,
        "message.timeout.ms": _DELIVERY_MS,
        "queue.buffering.max.messages": 100_000,
    }
