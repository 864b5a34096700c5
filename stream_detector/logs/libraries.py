"""What Kafka's client libraries log while a line of this project already says what is wrong.

A broker that goes away costs aiokafka dozens of lines in a second, on each client that it has, and
none of them names the broker. They come before a probe can tell what is wrong, so each waits for
``HOLD_SECONDS``: then it is written, unless a fault was found that explains it.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock

from stream_detector.logs.repeats import call_later

__all__ = ["HOLD_SECONDS", "KAFKA_FAULTS", "KafkaFaults", "LibrariesHeldBack"]

HOLD_SECONDS = 10.0
"""A probe is made every 2 s and takes up to 4 s."""
_AFTERMATH_SECONDS = 10.0
"""Requests that were under way when the fault ended still fail for so long."""

_EXPLAINED = {
    "brokers": ("aiokafka", "faust", "kafka", "mode"),
    "topics": ("aiokafka.cluster", "aiokafka.coordinator", "aiokafka.consumer.group_coordinator"),
}
"""Loggers whose lines add nothing, by what a line of the project says is wrong."""
_LIBRARIES = _EXPLAINED["brokers"]


def _belongs(logger: str, names: tuple[str, ...]) -> bool:
    return any(logger == name or logger.startswith(f"{name}.") for name in names)


class KafkaFaults:
    """Which faults the project's own lines report now. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._present: set[str] = set()
        self._ended: dict[str, float] = {}

    def report(self, fault: str, *, present: bool, now: float) -> None:
        """Note at ``now``, monotonic seconds, whether there is a fault of ``brokers``, ``topics``.

        To be called again and again; only changes matter.
        """
        with self._lock:
            if present:
                self._present.add(fault)
            elif fault in self._present:
                self._present.remove(fault)
                self._ended[fault] = now

    def explain(self, logger: str, time: float) -> bool:
        """Whether a line of ``logger`` at ``time``, monotonic seconds, is explained by one."""
        with self._lock:
            faults = self._present | {
                fault for fault, end in self._ended.items() if time - end < _AFTERMATH_SECONDS
            }
        return any(_belongs(logger, _EXPLAINED[fault]) for fault in faults)


KAFKA_FAULTS = KafkaFaults()
"""Those of this process, as its logging is one for the process too."""


class LibrariesHeldBack(logging.Handler):
    """Passes records on to ``target``: those of Kafka's libraries later, or never.

    Before a critical line, which says why the process ends, and when the handler is flushed or
    closed, all that is held back is passed on.
    """

    def __init__(
        self,
        target: logging.Handler,
        *,
        faults: KafkaFaults = KAFKA_FAULTS,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], None] = call_later,
    ) -> None:
        """``clock`` gives monotonic seconds; ``call_later`` calls back from any thread."""
        super().__init__()
        self._target = target
        self._faults = faults
        self._clock = clock
        self._call_later = call_later
        self._held: deque[tuple[float, logging.LogRecord]] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, now or later."""
        if record.levelno >= logging.CRITICAL:
            self._pass_on(until=float("inf"))
        elif record.levelno >= logging.WARNING and _belongs(record.name, _LIBRARIES):
            self._hold(record)
            return
        self._target.handle(record)

    def flush(self) -> None:
        """Pass on what is held back."""
        with self.lock:  # type: ignore[union-attr]
            self._pass_on(until=float("inf"))
        self._target.flush()

    def close(self) -> None:
        """Pass on what is held back, and close the target."""
        self.flush()
        self._target.close()
        super().close()

    def _hold(self, record: logging.LogRecord) -> None:
        now = self._clock()
        if self._faults.explain(record.name, now):
            return
        if not self._held:
            self._call_later(HOLD_SECONDS, self._when_due)
        self._held.append((now, record))

    def _when_due(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            self._pass_on(until=self._clock() - HOLD_SECONDS)
            if self._held:
                first, _ = self._held[0]
                self._call_later(first + HOLD_SECONDS - self._clock(), self._when_due)

    def _pass_on(self, *, until: float) -> None:
        """Pass on those that were held back ``until`` then and are not explained by now."""
        while self._held and self._held[0][0] <= until:
            time, record = self._held.popleft()
            if not self._faults.explain(record.name, time):
                self._target.handle(record)
