"""Every metric, in one typed place, in a registry of its own.

Names follow the Prometheus rules: base units, ``_total`` for counters, ``_seconds``.
Labels have few values by construction: never a host name, a URL or a client.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]

_STAGE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_AGE_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 1800, 3600)
_SCORE_BUCKETS = (
    0.001,
    0.01,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.95,
    0.99,
    0.999,
    1,
)
_BATCH_BUCKETS = (1, 8, 32, 128, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """All metrics of one worker. ``registry`` is what ``/metrics`` serves."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"stream_detector_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"stream_detector_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(
                f"stream_detector_{name}", text, labels, buckets=buckets, registry=registry
            )

        self.records = counter("records_total", "Records read from Kafka.", "topic")
        self.events = counter(
            "events_total", "URLs and hosts found in records.", "topic", "format", "kind"
        )
        self.ignored = counter(
            "ignored_lines_total", "Lines that by their nature name no URL.", "topic", "format"
        )
        self.verdicts = counter("verdicts_total", "Verdicts.", "kind", "verdict", "model", "reason")
        self.alerts = counter("alerts_total", "Alerts sent.", "kind")
        self.alerts_folded = counter(
            "alerts_folded_total", "Malicious verdicts held back by an alert's window.", "kind"
        )
        self.dead_letters = counter("dead_letters_total", "Dead letters.", "topic", "reason")
        self.stage_seconds = histogram(
            "stage_seconds",
            "Time a batch spends in a stage (parse, score, decide, publish).",
            _STAGE_BUCKETS,
            "stage",
        )
        self.record_age_seconds = histogram(
            "record_age_seconds",
            "Age of a batch's oldest record when its verdicts are in Kafka.",
            _AGE_BUCKETS,
        )
        self.batch_records = histogram("batch_records", "Records in a batch.", _BATCH_BUCKETS)
        self.batch_fill_ratio = gauge(
            "batch_fill_ratio", "Share of the model's rows that were texts, not padding.", "kind"
        )
        self.buffered_records = gauge("buffered_records", "Records read and not yet committed.")
        self.buffered_bytes = gauge("buffered_bytes", "Bytes read and not yet committed.")
        self.committed_offset = gauge(
            "committed_offset", "Next offset to be read, as committed.", "topic", "partition"
        )
        self.end_offset = gauge("end_offset", "End of the partition.", "topic", "partition")
        self.lag_records = gauge(
            "lag_records", "Records behind the partition's end.", "topic", "partition"
        )
        self.lag_seconds = gauge(
            "lag_seconds", "Age of the oldest record not yet committed.", "topic", "partition"
        )
        self.rebalances = counter("rebalances_total", "Rebalances of the consumer group.")
        self.assigned_partitions = gauge("assigned_partitions", "Partitions this worker has.")
        self.cache_lookups = counter("cache_lookups_total", "Decisions looked up.", "result")
        self.scores = histogram("score", "Scores, by model kind.", _SCORE_BUCKETS, "kind")
        self.model_info = gauge(
            "model_info", "1 for each model that is served.", "kind", "name", "version", "sha256"
        )
        self.model_loaded_timestamp_seconds = gauge(
            "model_loaded_timestamp_seconds", "When the model was loaded.", "kind"
        )
        self.device_info = gauge("device_info", "1 for the device the model runs on.", "device")
        self.ready = gauge("ready", "1 when assigned, warmed up and committing.")
        self.errors = counter("errors_total", "Errors by class.", "error")
        self.publish_retries = counter(
            "publish_retries_total", "Retries of outputs while Kafka was away."
        )
