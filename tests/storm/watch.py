"""How far the group has come: asked by a thread, since a cluster in a storm answers when it can."""

import threading
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from support.records import committed_offsets, end_offsets_by, open_consumer

__all__ = ["Watch"]

_POLL_SECONDS = 3.0


class Watch:
    """Keeps end offsets and committed offsets of the input; a context manager."""

    def __init__(self, bootstrap_servers: str, topic: str, group: str) -> None:
        """Nothing is asked yet."""
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._group = group
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.committed = 0
        """Records of which the outputs are in Kafka, and this is committed."""
        self.behind = ""
        """Which partitions are not committed to their end, by the last answer."""
        self.asked = 0
        """Answers so far."""

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask no more."""
        self._stop.set()

    def _run(self) -> None:
        consumer = open_consumer(self._bootstrap_servers, {"log_level": 0})
        while not self._stop.wait(_POLL_SECONDS):
            try:
                # In this order: what is committed is never beyond the end that is asked later.
                committed = committed_offsets(self._bootstrap_servers, self._group)
                ends = end_offsets_by(consumer, self._topic)
            except (KafkaException, KafkaError):
                continue
            if not ends:
                continue  # A broker that has just come back knows no topic yet.
            self.committed = max(self.committed, sum(committed.values()))
            self.behind = ", ".join(
                f"{partition}: {committed.get((topic, partition), 0):,} of {end:,}"
                for (topic, partition), end in sorted(ends.items())
                if committed.get((topic, partition), 0) < end
            )
            self.asked += 1
