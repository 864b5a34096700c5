"""Every metric, in one typed place, in a registry of its own.

Names follow the Prometheus rules: base units, ``_total`` for counters, ``_seconds``.
Labels have few values by construction: never a host name, a URL or a client.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    Summary,
    disable_created_metrics,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
)
from prometheus_client.registry import Collector

from stream_detector import __version__
from stream_detector.batch_histogram import BatchHistogram
from stream_detector.errors import RefusalReason
from stream_detector.events import Kind, ModelRef, RejectReason, VerdictName
from stream_detector.models.base import ServedModel
from stream_detector.models.drift import DriftWindow
from stream_detector.system.disks import free_bytes

# Each bucket is a series for each label value: only as many as the dashboards need.
_STAGE_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.5, 2)
# Fine around the objective of 60 s.
_AGE_BUCKETS = (0.1, 0.5, 2, 10, 30, 45, 55, 60, 65, 75, 120, 600)
_SCORE_BUCKETS = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999)
_SUDDEN_REASONS = (
    *(RejectReason.NOT_UTF8, RejectReason.UNKNOWN_FORMAT, RejectReason.MALFORMED),
    *(RejectReason.WRONG_TYPE, RejectReason.NO_URL, RejectReason.INVALID_URL),
    *(RejectReason.INVALID_HOST, RejectReason.MODEL_ERROR),
)
"""Reasons of dead letters that come suddenly and by thousands, from a changed format or a failing
model. The others come from single odd records."""


class DriftMetrics(Collector):
    """How far the texts that each model scores have moved from its bundle's reference.

    The index covers this worker's own texts; the other two give the index over all workers. Each
    scrape computes them. A model without a reference has none.
    """

    _LABELS = ("kind", "version", "statistic")

    def __init__(self, registry: CollectorRegistry) -> None:
        self._windows: dict[Kind, tuple[ModelRef, DriftWindow]] = {}
        registry.register(self)

    def follow(self, models: Mapping[Kind, ServedModel]) -> None:
        """Start over for each kind whose model has changed."""
        windows = {}
        for kind, model in models.items():
            current = self._windows.get(kind)
            if current is not None and current[0] == model.ref:
                windows[kind] = current
            elif model.reference is not None:
                windows[kind] = (model.ref, DriftWindow(kind, model.reference))
        self._windows = windows  # In one step: the HTTP thread reads it.

    def observe(self, kind: Kind, texts: Sequence[str], scores: Sequence[float]) -> None:
        """Add canonical ``texts`` that were scored; those whose score is NaN are left out."""
        if kind in self._windows:
            self._windows[kind][1].observe(texts, scores)

    def describe(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The metrics without their values."""
        yield from self._families()

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The metrics as they stand."""
        index, expected, observed = self._families()
        for kind, (model, window) in self._windows.items():
            for name, figures in window.figures().items():
                labels = [kind, model.version, name]
                if figures.psi is not None:
                    index.add_metric(labels, figures.psi)
                for label, share, count in zip(
                    figures.bins, figures.expected, figures.observed, strict=True
                ):
                    expected.add_metric([*labels, label], share)
                    observed.add_metric([*labels, label], count)
        yield from (index, expected, observed)

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily]:
        return (
            GaugeMetricFamily(
                "stream_detector_population_stability_index",
                "How far the last scored texts are from the bundle's reference, by statistic: "
                "below 0.1 stable, above 0.25 moved; not there before 1,000 texts.",
                labels=self._LABELS,
            ),
            GaugeMetricFamily(
                "stream_detector_reference_ratio",
                "Share of the reference's rows in a bin of a statistic.",
                labels=(*self._LABELS, "bin"),
            ),
            CounterMetricFamily(
                "stream_detector_binned_texts",
                "Texts that were scored, by bin of a statistic; what was remembered is not "
                "counted again.",
                labels=(*self._LABELS, "bin"),
            ),
        )


class Metrics:
    """All metrics of one worker. ``registry`` is what ``/metrics`` serves."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # They would double the series, and no rule or panel uses them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = registry or CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"stream_detector_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"stream_detector_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(
                f"stream_detector_{name}", text, labels, buckets=buckets, registry=registry
            )

        def summary(name: str, text: str) -> Summary:
            return Summary(f"stream_detector_{name}", text, registry=registry)

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
            "Time a batch spends in a stage: parse, decide (which includes score and shadow), "
            "score, shadow, publish.",
            _STAGE_BUCKETS,
            "stage",
        )
        self.record_age_seconds = BatchHistogram(
            "stream_detector_record_age_seconds",
            "Age of records when what became of them is in Kafka; all that were fetched together "
            "count as the oldest of them.",
            _AGE_BUCKETS,
            "topic",
            registry,
        )
        self.batch_records = summary("batch_records", "Records in a batch.")
        self.batch_fill_ratio = summary(
            "batch_fill_ratio", "Records in a batch, as a share of batch_records."
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
        self.input_topic_missing = gauge(
            "input_topic_missing", "1 for an input topic that is not there.", "topic"
        )
        self._add_group(gauge, counter)
        self._add_versions(gauge)
        self.rebalances = counter("rebalances_total", "Rebalances of the consumer group.")
        self.assigned_partitions = gauge("assigned_partitions", "Partitions this worker has.")
        self.cache_lookups = counter("cache_lookups_total", "Decisions looked up.", "result")
        self.scores = BatchHistogram(
            "stream_detector_score",
            "Scores that the model gave; what was remembered is not counted again.",
            _SCORE_BUCKETS,
            "kind",
            registry,
        )
        self.drift = DriftMetrics(registry)
        self.model_info = gauge(
            "model_info", "1 for each model that is served.", "kind", "name", "version", "sha256"
        )
        self.model_loaded_timestamp_seconds = gauge(
            "model_loaded_timestamp_seconds", "When the model was loaded.", "kind"
        )
        self.model_created_timestamp_seconds = gauge(
            "model_created_timestamp_seconds", "When the model was trained.", "kind"
        )
        self.model_switches = counter(
            "model_switches_total", "Switches to another model while running.", "kind"
        )
        self.model_refusals = counter(
            "model_refusals_total",
            "Announced models that were not taken, by reason; each try counts.",
            "reason",
        )
        self.shadow_info = gauge(
            "shadow_info",
            "1 for each model that is the shadow of the one that serves.",
            "kind",
            "name",
            "version",
            "sha256",
        )
        self.shadow_texts = counter(
            "shadow_texts_total", "Texts that a shadow scored as well.", "kind"
        )
        self.shadow_passed_over = counter(
            "shadow_passed_over_texts_total",
            "Texts of a shadow's share that it did not score because it was too slow.",
            "kind",
        )
        self.shadow_disagreements = counter(
            "shadow_disagreements_total",
            "Texts on which the shadow's verdict is another.",
            "kind",
            "served",
            "shadow",
        )
        self.shadow_errors = counter(
            "shadow_errors_total", "Shadows that were dropped because of an error.", "kind"
        )
        self.device_info = gauge("device_info", "1 for the device the model runs on.", "device")
        self.ready = gauge("ready", "1 when assigned, warmed up and committing.")
        self.errors = counter(
            "errors_total",
            "Errors by class: those that were retried, and the one that ended the process.",
            "error",
        )
        self.publish_retries = counter(
            "publish_retries_total", "Retries of outputs while Kafka was away."
        )
        self.certificates = certificate_gauge(registry)
        ProcessCollector(registry=registry)
        self._begin_at_0()

    def _add_group(self, gauge: Callable[..., Gauge], counter: Callable[..., Counter]) -> None:
        """Make the metrics of this consumer group's readers of the input topics."""
        self.topic_partitions = gauge(
            "topic_partitions", "Partitions of an input topic; 0 where it is missing.", "topic"
        )
        self.owned_partitions = gauge(
            "owned_partitions",
            "Partitions of an input topic that detectors of the group own, all workers together.",
            "topic",
        )
        self.foreign_members = gauge(
            "foreign_members", "Members of the consumer group that are no detectors."
        )
        self.foreign_commits = counter(
            "foreign_commits_total",
            "Partitions taken over whose offset was committed by no detector.",
            "topic",
        )
        self.passed_over_records = counter(
            "passed_over_records_total",
            "Records between what detectors committed last and the offset that somebody else "
            "committed; none where the former is not known. `stream-detector replay --from "
            "TOPIC:PARTITION:FIRST-LAST`, as the log names it, scores them.",
            "topic",
        )

    def _add_versions(self, gauge: Callable[..., Gauge]) -> None:
        """Make the metrics of the program's version and of announced models."""
        self.build_info = gauge("build_info", "1, with the version of the program.", "version")
        self.build_info.labels(__version__).set(1)
        self.group_info = gauge("group_info", "1, with the consumer group of the worker.", "group")
        self.announced_model_info = gauge(
            "announced_model_info",
            "1 for the model of each kind that was announced last.",
            "kind",
            "name",
            "version",
            "sha256",
        )
        self._announced: dict[Kind, ModelRef] = {}
        self.model_store_free_bytes = gauge(
            "model_store_free_bytes",
            "Free space of the model store's disk; NaN where it is no folder of this machine.",
        )
        self.model_store_free_bytes.set(float("nan"))

    def _begin_at_0(self) -> None:
        """Show counters at 0: no rate sees the first count of one that begins at 1."""
        kinds: tuple[Kind, ...] = get_args(Kind)
        for kind in kinds:
            for counter in (self.alerts, self.alerts_folded, self.model_switches):
                counter.labels(kind)
        for reason in RefusalReason:
            self.model_refusals.labels(reason.value)

    def expect_topics(self, topics: Iterable[str]) -> None:
        """Show the counters of each input topic at 0 before its first record."""
        for topic in topics:
            self.records.labels(topic)
            self.input_topic_missing.labels(topic)
            self.foreign_commits.labels(topic)
            self.passed_over_records.labels(topic)
            self.record_age_seconds.observe(topic, 0.0, 0)
            for reason in _SUDDEN_REASONS:
                self.dead_letters.labels(topic, reason.value)

    def show_model(
        self, kind: Kind, model: ServedModel, *, instead_of: ModelRef | None = None
    ) -> None:
        """Show that ``model`` serves ``kind`` from now on instead of ``instead_of``."""
        if instead_of is not None:
            self.model_info.remove(kind, instead_of.name, instead_of.version, instead_of.sha256)
        ref = model.ref
        self.model_info.labels(kind, ref.name, ref.version, ref.sha256).set(1)
        self.model_loaded_timestamp_seconds.labels(kind).set_to_current_time()
        if model.created_at is not None:
            self.model_created_timestamp_seconds.labels(kind).set(model.created_at.timestamp())

    def show_announced(self, kind: Kind, ref: ModelRef) -> None:
        """Show that ``ref`` was announced last for ``kind``."""
        if (before := self._announced.get(kind)) is not None:
            self.announced_model_info.remove(kind, before.name, before.version, before.sha256)
        self._announced[kind] = ref
        self.announced_model_info.labels(kind, ref.name, ref.version, ref.sha256).set(1)

    def show_group(self, group: str) -> None:
        """Show the worker's consumer group."""
        self.group_info.labels(group).set(1)

    def show_free_space(self, folder: Path) -> None:
        """Show the free space of the disk of ``folder`` at each scrape."""
        self.model_store_free_bytes.set_function(lambda: free_bytes(folder))

    def show_shadow(self, kind: Kind, ref: ModelRef) -> None:
        """Show that ``ref`` is the shadow of ``kind`` from now on, with its counters from 0 on."""
        for counter in (self.shadow_texts, self.shadow_passed_over, self.shadow_errors):
            counter.labels(kind)
        for served, shadow in permutations(get_args(VerdictName), 2):
            self.shadow_disagreements.labels(kind, served, shadow)
        self.shadow_info.labels(kind, ref.name, ref.version, ref.sha256).set(1)

    def hide_shadow(self, kind: Kind, ref: ModelRef) -> None:
        """Stop showing ``ref`` as a shadow."""
        self.shadow_info.remove(kind, ref.name, ref.version, ref.sha256)

    def count_error(self, error: BaseException) -> None:
        """Count ``error`` under the name of its class."""
        self.errors.labels(type(error).__name__).inc()


def certificate_gauge(registry: CollectorRegistry) -> Gauge:
    """The metric, the same for every process that serves metrics."""
    return Gauge(
        "stream_detector_certificate_expiry_timestamp_seconds",
        "When a certificate in use expires, or the first of its chain: http_server (cert_file) and "
        "http_client_authority (client_ca_file) of the web configuration, kafka_client "
        "(ssl_certfile), kafka_authority (ssl_cafile); of several authorities in a file the last.",
        ["certificate"],
        registry=registry,
    )
