"""A Prometheus histogram for whole batches of values."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class BatchHistogram(Collector):
    """A histogram that takes a whole batch of values, or one value many times, at once.

    ``prometheus_client.Histogram`` takes a lock and walks its buckets for each value, which for
    thousands of scores a batch costs more than making the verdicts.

    Args:
        name: metric name.
        text: its help text.
        buckets: upper bounds, ascending; ``+Inf`` is added.
        label: name of the one label.
        registry: where it is registered.
    """

    def __init__(
        self,
        name: str,
        text: str,
        buckets: Sequence[float],
        label: str,
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._text = text
        self._bounds = tuple(buckets)
        self._label = label
        self._lock = Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def observe_all(self, label_value: str, values: Iterable[float]) -> None:
        """Add ``values`` under one value of the label."""
        values = list(values)
        places = [bisect_left(self._bounds, value) for value in values]
        with self._lock:
            counts = self._counts_of(label_value)
            for place in places:
                counts[place] += 1
            self._sums[label_value] += sum(values)

    def observe(self, label_value: str, value: float, times: int) -> None:
        """Add ``value`` so many times under one value of the label; 0 times: to be there."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._counts_of(label_value)[place] += times
            self._sums[label_value] += value * times

    def _counts_of(self, label_value: str) -> list[int]:
        self._sums.setdefault(label_value, 0.0)
        return self._counts.setdefault(label_value, [0] * (len(self._bounds) + 1))

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The metric without its values."""
        yield HistogramMetricFamily(self._name, self._text, labels=[self._label])

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The metric as it stands."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        with self._lock:
            state = {value: (list(c), self._sums[value]) for value, c in self._counts.items()}
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for value, (counts, total) in state.items():
            cumulated = 0
            buckets = []
            for bound, count in zip(bounds, counts, strict=True):
                cumulated += count
                buckets.append((bound, float(cumulated)))
            family.add_metric([value], buckets, sum_value=total)
        yield family
