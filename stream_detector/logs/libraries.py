"""Holds back the log lines of Kafka's client libraries that a line of this project explains.

When a broker goes away, each aiokafka client logs dozens of lines a second, and none names the
broker. They come before a probe has found the fault, so each line waits for ``HOLD_SECONDS``; the
handler then writes it, unless a fault explains it.
"""

import logging
import math
from collections import deque
from collections.abc import Callable

from stream_detector.logs.repeats import call_later

HOLD_SECONDS = 10.0
"""Longer than a probe needs: one starts every 2 s and takes up to 4 s."""
_AFTERMATH_SECONDS = 10.0
"""Requests that began during the fault still fail this long after its end."""

_EXPLAINED = {
    "brokers": ("aiokafka", "faust", "kafka", "mode"),
    "topics": ("aiokafka.cluster", "aiokafka.coordinator", "aiokafka.consumer.group_coordinator"),
}
"""Loggers whose lines add nothing, by the fault that a line of the project reports."""
_LIBRARIES = _EXPLAINED["brokers"]


def _belongs(logger: str, names: tuple[str, ...]) -> bool:
    return any(logger == name or logger.startswith(f"{name}.") for name in names)


class KafkaFaults:
    """Which faults the project's own lines report now. Any thread may use it."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        """Until when, in monotonic seconds, each fault explains lines; infinity while present."""

    def report(self, fault: str, *, present: bool, now: float) -> None:
        """Note at ``now``, monotonic seconds, whether ``brokers`` or ``topics`` are at fault."""
        if present:
            self._until[fault] = math.inf
        elif self._until.get(fault) == math.inf:  # Every probe reports; only changes matter.
            self._until[fault] = now + _AFTERMATH_SECONDS

    def explain(self, logger: str, time: float) -> bool:
        """Whether a fault explains a line of ``logger`` at ``time``, monotonic seconds."""
        faults = [fault for fault, until in self._until.copy().items() if time < until]
        return any(_belongs(logger, _EXPLAINED[fault]) for fault in faults)


KAFKA_FAULTS = KafkaFaults()
"""Of this process, as its logging is."""


class LibrariesHeldBack(logging.Handler):
    """Passes records on to ``target``: those of Kafka's libraries later, or never.

    A critical line, which says why the process ends, releases all held records first; so do flush
    and close. ``clock`` gives monotonic seconds; ``call_later`` may call from any thread.
    """

    def __init__(
        self,
        target: logging.Handler,
        *,
        faults: KafkaFaults = KAFKA_FAULTS,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], None] = call_later,
    ) -> None:
        super().__init__()
        self._target = target
        self._faults = faults
        self._clock = clock
        self._call_later = call_later
        self._held: deque[tuple[float, logging.LogRecord]] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, now or later, or drop it if a fault explains it."""
        if record.levelno >= logging.CRITICAL:
            self._pass_on(until=math.inf)
        elif record.levelno >= logging.WARNING and _belongs(record.name, _LIBRARIES):
            now = self._clock()
            if not self._faults.explain(record.name, now):
                if not self._held:
                    self._call_later(HOLD_SECONDS, self._when_due)
                self._held.append((now, record))
            return
        self._target.handle(record)

    def flush(self) -> None:
        """Release all held records."""
        with self.lock:  # type: ignore[union-attr]
            self._pass_on(until=math.inf)
        self._target.flush()

    def close(self) -> None:
        """Release all held records, and close the target."""
        self.flush()
        self._target.close()
        super().close()

    def _when_due(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            self._pass_on(until=self._clock() - HOLD_SECONDS)
            if self._held:
                first, _ = self._held[0]
                self._call_later(first + HOLD_SECONDS - self._clock(), self._when_due)

    def _pass_on(self, *, until: float) -> None:
        """Release records held since ``until`` or before, unless a fault explains them now."""
        while self._held and self._held[0][0] <= until:
            time, record = self._held.popleft()
            if not self._faults.explain(record.name, time):
                self._target.handle(record)
