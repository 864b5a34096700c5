"""All metrics of ``stream-trainer watch``, by the rules of Prometheus' names."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)

from stream_detector import __version__
from stream_detector.metrics import certificate_gauge


class WatchMetrics:
    """All metrics of one watch. ``registry`` is what ``/metrics`` serves."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"stream_trainer_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"stream_trainer_{name}", text, labels, registry=registry)

        self.labels = gauge("labels", "Labels in the store.", "kind")
        self.new_labels = gauge("new_labels", "Labels since the last retraining.", "kind")
        self.label_dead_letters = counter(
            "label_dead_letters_total", "Labels that could not be used."
        )
        self.collector_errors = counter(
            "collector_errors_total", "Times that collecting labels broke off and began again."
        )
        self.retraining = gauge("retraining", "1 while a model is being retrained.", "kind")
        self.retrainings = counter(
            "retrainings_total",
            "Retrainings by outcome: published, passed (and not to be published), refused by the "
            "gate, unchanged (nothing new), failed.",
            "kind",
            "outcome",
        )
        self.retraining_seconds = gauge(
            "retraining_seconds", "How long the last retraining took.", "kind"
        )
        self.last_retraining = gauge(
            "last_retraining_timestamp_seconds", "End of the last one.", "kind", "outcome"
        )
        self.gate_checks = gauge(
            "gate_check_passed",
            "1 for each check that the last challenger passed, 0 for one that it did not, NaN for "
            "one that its hold-out was too small for.",
            "kind",
            "check",
        )
        self.ready = gauge("ready", "1 while labels are being collected.")
        self.build_info = gauge("build_info", "1, with the version of the program.", "version")
        self.build_info.labels(__version__).set(1)
        self.group_info = gauge(
            "group_info", "1, with the consumer group that reads the labels.", "group"
        )
        self.label_store_free_bytes = gauge(
            "label_store_free_bytes", "Free space of the label store's disk."
        )
        self.certificates = certificate_gauge(registry)
        ProcessCollector(registry=registry)
