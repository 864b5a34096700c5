"""What is written to the input topics while failures come and go."""

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException, Producer

from support.background import Background

__all__ = [
    "EVIL_DOMAIN",
    "Stream",
    "Traffic",
    "evil",
    "garbage",
    "ordinary",
    "ordinary_with_garbage",
]

EVIL_DOMAIN = "evil.example"
"""It is in the workers' deny list; everything else is benign."""

_TICK_SECONDS = 0.1
_FLUSH_SECONDS = 30.0


def ordinary(number: int) -> bytes:
    """A URL among some hundred."""
    return f"http://shop{number % 97}.example.org/article/{number % 389}".encode()


def ordinary_with_garbage(number: int) -> bytes:
    """As ``ordinary``, but for one record in 200."""
    return ordinary(number) if number % 200 else garbage(number)


def evil(number: int) -> bytes:
    """A malicious URL that another client asks for each time: an alert each."""
    client = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return json.dumps({"url": f"http://{EVIL_DOMAIN}/{number}", "client": client}).encode()


def garbage(number: int) -> bytes:
    """What no parser reads."""
    return b'{"url": \xff\xfe' + str(number).encode()


class Stream:
    """What one topic gets; may be changed at any time."""

    def __init__(self, rate: float, record: Callable[[int], bytes] = ordinary) -> None:
        self.rate = rate
        """Records a second."""
        self.record = record
        """Makes the value of a record of its number."""
        self.clock_offset = 0.0
        """Seconds that the shipper's clock is ahead."""


class Traffic(Background):
    """Writes to topics at their rates, in a thread of its own; a context manager.

    Records that Kafka does not take are lost, as with a shipper that does not wait.
    """

    def __init__(self, bootstrap_servers: str, rates: Mapping[str, float]) -> None:
        """Nothing is written yet; ``rates`` are records a second by topic."""
        self.streams = {topic: Stream(rate) for topic, rate in rates.items()}
        super().__init__("traffic")
        self._numbers = itertools.count()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "log_level": 0,
                "message.timeout.ms": 5_000,
                "queue.buffering.max.messages": 500_000,
                "topic.metadata.refresh.interval.ms": 5_000,
                "reconnect.backoff.max.ms": 1_000,
                "sticky.partitioning.linger.ms": 0,
                "linger.ms": 20,
            }
        )

    def write(self, topic: str, count: int, record: Callable[[int], bytes] = ordinary) -> None:
        """Write ``count`` records more, at once."""
        for _ in range(count):
            self._send(topic, record(next(self._numbers)), 0.0)
        self._producer.flush(_FLUSH_SECONDS)

    def _run(self) -> None:
        owed: defaultdict[str, float] = defaultdict(float)
        while not self._stop.wait(_TICK_SECONDS):
            for topic, stream in list(self.streams.items()):
                owed[topic] += stream.rate * _TICK_SECONDS
                while owed[topic] >= 1:
                    owed[topic] -= 1
                    value = stream.record(next(self._numbers))
                    self._send(topic, value, stream.clock_offset)
            self._producer.poll(0)

    def _send(self, topic: str, value: bytes, clock_offset: float) -> None:
        try:
            at = int((time.time() + clock_offset) * 1000)
            self._producer.produce(topic, value, timestamp=at)
        except BufferError:
            self._producer.poll(0.1)
        except KafkaException:  # The topic is not there.
            return
