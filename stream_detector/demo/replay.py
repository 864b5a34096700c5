"""Sample logs into Kafka, line by line, at a steady rate, from a thread of its own."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from stream_detector.errors import SettingsError

__all__ = ["Replay", "Sent", "sample_lines"]

_TICK_SECONDS = 0.01
_FLUSH_SECONDS = 30.0
_SUFFIXES = {".log", ".json", ".txt"}

# The clients of the samples; each round of the replay comes from another office.
_OFFICE = b"10.20."
_OFFICES = range(20, 220)


class Sent(NamedTuple):
    """A record that Kafka has."""

    partition: int
    offset: int
    line: int
    """Index into the lines that are replayed."""
    time: float
    """When it was written, seconds since the epoch."""


def sample_lines(folder: Path) -> list[bytes]:
    """The lines of all sample logs in ``folder``, evenly mixed, each log in its own order.

    Without Zeek's header lines, which log shippers are told to leave out (Filebeat's
    ``exclude_lines: ['^#']``).

    Raises ``SettingsError`` if there are none.
    """
    placed: list[tuple[float, str, bytes]] = []
    for path in sorted(folder.glob("*")):
        if path.suffix in _SUFFIXES:
            lines = [line for line in path.read_bytes().splitlines() if line[:1] != b"#"]
            placed += [(n / len(lines), path.name, line) for n, line in enumerate(lines)]
    if not placed:
        raise SettingsError(f"there are no sample logs in {folder}")
    placed.sort(key=lambda entry: entry[:2])
    return [line for _, _, line in placed]


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
        values = itertools.islice(self._values(), self._records)
        for count, (line, value) in enumerate(values):
            while time.monotonic() - began < count / self._rate:
                self._producer.poll(_TICK_SECONDS)
            if self._stopped.is_set() or self.error is not None:
                return
            self._write(line, value)
        self._producer.flush(_FLUSH_SECONDS)

    def _values(self) -> Iterator[tuple[int, bytes]]:
        """Line numbers and values, without an end."""
        for office in itertools.cycle(_OFFICES):
            clients = b"10.%d." % office
            for number, line in enumerate(self._lines):
                yield number, line.replace(_OFFICE, clients)

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
