"""Which alerts fire, as Prometheus tells every half second."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from support.background import Background
from support.prometheus import Prometheus

__all__ = ["AlertLog", "Fired"]

_POLL_SECONDS = 0.5


@dataclass
class Fired:
    """One alert, from the moment when it fired; times are those of ``time.monotonic``."""

    labels: Mapping[str, str]
    summary: str
    at: float
    resolved_at: float | None = None

    @property
    def name(self) -> str:
        """The name of the alert."""
        return self.labels["alertname"]

    def fires_at(self, moment: float) -> bool:
        """Did it fire then?"""
        return self.at <= moment and (self.resolved_at is None or moment < self.resolved_at)


class AlertLog(Background):
    """Notes each alert that fires, in a thread of its own; a context manager."""

    def __init__(self, prometheus: Prometheus) -> None:
        """Nothing is noted yet."""
        self._prometheus = prometheus
        super().__init__("alerts")
        self._open: dict[tuple[tuple[str, str], ...], Fired] = {}
        self.pending: frozenset[str] = frozenset()
        """Names of alerts that wait for their ``for`` to pass."""
        self.fired: list[Fired] = []
        """In the order in which they fired."""

    @property
    def firing(self) -> Sequence[Fired]:
        """Those that fire now."""
        return [alert for alert in self.fired if alert.resolved_at is None]

    def _run(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            try:
                alerts = self._prometheus.alerts()
            except (OSError, RuntimeError):  # Too busy to answer: the next answer has it too.
                continue
            now = time.monotonic()
            self.pending = frozenset(
                alert["labels"]["alertname"] for alert in alerts if alert["state"] == "pending"
            )
            firing = {
                tuple(sorted(alert["labels"].items())): alert["annotations"].get("summary", "")
                for alert in alerts
                if alert["state"] == "firing"
            }
            for key, summary in firing.items():
                if key not in self._open:
                    self._open[key] = Fired(dict(key), summary, now)
                    self.fired.append(self._open[key])
            for key in self._open.keys() - firing.keys():
                self._open.pop(key).resolved_at = now
