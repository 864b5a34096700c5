"""Sample logs into Kafka, line by line, at a steady rate, from a thread of its own."""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from stream_detector.demo.samples import rounds_of

__all__ = ["Replay", "Sent"]

_TICK_SECONDS = 0.01
_FLUSH_SECONDS = 30.0


class Sent(NamedTuple):
    """A record that Kafka has."""

    partition: int
    offset: int
    line: int
    """Index into the lines that are replayed."""
    time: float
    """When it was written, seconds since the epoch."""


class Replay:
    """Writes ``records`` records to ``topic``, the lines over and over.

    ``on_sent`` is called for each that Kafka has, from the thread that writes. ``error`` is
    set if Kafka refuses one; the replay ends then.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        lines: Sequence[bytes],
        *,
        records: int,
        rate: float,
        on_sent: Callable[[Sent], None],
    ) -> None:
        """``rate`` is in records a second."""
        self._topic = topic
        self._lines = lines
        self._records = records
        self._rate = rate
        self._on_sent = on_sent
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._producer = Producer(
            {"bootstrap.servers": bootstrap_servers, "linger.ms": 2, "log_level": 2}
        )
        self.error: KafkaError | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it if it has not ended by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        values = itertools.islice(rounds_of(self._lines), self._records)
        for count, (line, value) in enumerate(values):
            while time.monotonic() - began < count / self._rate:
                self._producer.poll(_TICK_SECONDS)
            if self._stopped.is_set() or self.error is not None:
                return
            self._write(line, value)
        self._producer.flush(_FLUSH_SECONDS)

    def _write(self, line: int, value: bytes) -> None:
        written = time.time()

        def delivered(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None or partition is None or offset is None:
                self.error = error
            else:
                self._on_sent(Sent(partition, offset, line, written))

        self._producer.produce(
            self._topic, value, timestamp=int(written * 1000), on_delivery=delivered
        )
