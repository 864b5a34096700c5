"""The brokers of a storm, one of which at a time is killed or stopped, and comes back.

A thread of its own starts them: that takes seconds, and a process dies with the thread that
started it.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from support.cluster import KafkaCluster

__all__ = ["Brokers"]

_HEALTHY_SECONDS = 300.0


class Brokers:
    """Three brokers that hold every topic together; a context manager starts and kills them."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet."""
        self.cluster = KafkaCluster(folder, long_lived=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brokers")
        self._outage: Future[None] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """All addresses, separated by commas."""
        return self.cluster.bootstrap_servers

    @property
    def running(self) -> int:
        """Brokers whose process is there."""
        return sum(broker.running for broker in self.cluster.brokers)

    @property
    def are_calm(self) -> bool:
        """Are all there and in sync, so that the next may go?

        Raises what kept a broker from coming back.
        """
        if self._outage is not None and self._outage.done():
            self._outage.result()
            self._outage = None
        return self._outage is None

    def take_away(self, number: int, *, seconds: float, orderly: bool) -> None:
        """Stop the broker in order, or kill it, and start it again after ``seconds``."""
        assert self.are_calm, "one broker at a time"
        self._outage = self._thread.submit(self._take_away, number, seconds, orderly)

    def _take_away(self, number: int, seconds: float, orderly: bool) -> None:
        broker = self.cluster.brokers[number]
        if orderly:
            broker.stop()
        else:
            broker.kill()
        time.sleep(seconds)
        broker.start()
        self.cluster.wait_until_healthy(_HEALTHY_SECONDS)

    def __enter__(self) -> Self:
        """All of them running and in sync."""
        try:
            self._thread.submit(self.cluster.__enter__).result()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill them and delete their data."""
        self._thread.submit(self.cluster.__exit__).result()
        self._thread.shutdown()
