"""Sample logs into Kafka, line by line, at a steady rate, from a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from stream_detector.demo.samples import rounds_of
from stream_detector.errors import StreamDetectorError
from stream_detector.kafka.confirmed import write_records
from stream_detector.settings.fields import Settings


class Sent(NamedTuple):
    """A record that Kafka has."""

    partition: int
    offset: int
    line: int
    """Index into the replayed lines."""
    time: float
    """When it was written, seconds since the epoch."""


class Replay:
    """Writes ``records`` records to the first input topic, the lines over and over.

    The writing thread calls ``on_sent`` for each record that Kafka has. ``error`` is set if Kafka
    refuses one, and ends the replay.
    """

    def __init__(
        self,
        settings: Settings,
        lines: Sequence[bytes],
        *,
        records: int,
        rate: float,
        on_sent: Callable[[Sent], object],
    ) -> None:
        """``rate`` is in records a second."""
        self._settings = settings
        self._rounds = islice(rounds_of(lines), records)
        self._rate = rate
        self._on_sent = on_sent
        self._unconfirmed: deque[tuple[int, float]] = deque()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self.error: StreamDetectorError | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it if it has not ended by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            write_records(
                self._settings,
                self._values(),
                rate=self._rate,
                on_written=self._confirmed,
                on_away=lambda _: None,
            )
        except StreamDetectorError as error:
            self.error = error

    def _values(self) -> Iterator[bytes]:
        for line, value in self._rounds:
            if self._stopped.is_set():
                return
            self._unconfirmed.append((line, time.time()))
            yield value

    def _confirmed(self, _: int, written: Sequence[Any]) -> None:
        for record in written:
            # Not the time in the metadata: the embedded broker reports one of its own.
            line, seconds = self._unconfirmed.popleft()
            self._on_sent(Sent(record.partition, record.offset, line, seconds))
