import re
from datetime import UTC, datetime
from itertools import pairwise
from math import isnan
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream_detector.batch_histogram import BatchHistogram
from stream_detector.events import Kind, ModelRef, Thresholds, VerdictName
from stream_detector.metrics import Metrics
from stream_detector.models.base import ServedModel
from stream_detector.models.bundle import load_bundle
from stream_detector.models.drift import TEXTS_MIN
from support.processes import ROOT

BUCKETS = (0.001, 0.1, 0.5, 1)


@given(st.lists(st.tuples(st.sampled_from(["url", "host"]), st.lists(st.floats(0, 2)))))
def test_a_batch_histogram_shows_what_a_histogram_would(
    batches: list[tuple[str, list[float]]],
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch_histogram = BatchHistogram("score", "Scores.", BUCKETS, "kind", ours)
    histogram = Histogram("score", "Scores.", ["kind"], buckets=BUCKETS, registry=theirs)
    for kind, values in batches:
        batch_histogram.observe_all(kind, values)
        for value in values:
            histogram.labels(kind).observe(value)
    for family in text_string_to_metric_families(generate_latest(theirs).decode()):
        for sample in family.samples:
            if not sample.name.endswith(("_created", "_sum")):
                assert ours.get_sample_value(sample.name, sample.labels) == sample.value
    for kind in {kind for kind, values in batches if values}:
        total = ours.get_sample_value("score_sum", {"kind": kind})
        assert total == pytest.approx(theirs.get_sample_value("score_sum", {"kind": kind}))


def test_a_value_many_times_counts_as_often() -> None:
    registry = CollectorRegistry()
    histogram = BatchHistogram("age", "Ages.", BUCKETS, "topic", registry)
    histogram.observe("dns", 0.1, 0)
    assert registry.get_sample_value("age_count", {"topic": "dns"}) == 0
    histogram.observe("dns", 0.3, 4)
    histogram.observe("dns", 0.1, 2)
    assert registry.get_sample_value("age_bucket", {"topic": "dns", "le": "0.1"}) == 2
    assert registry.get_sample_value("age_bucket", {"topic": "dns", "le": "0.5"}) == 6
    assert registry.get_sample_value("age_count", {"topic": "dns"}) == 6
    assert registry.get_sample_value("age_sum", {"topic": "dns"}) == pytest.approx(1.4)


def test_counters_with_a_rate_exist_before_they_count() -> None:
    metrics = Metrics()
    metrics.expect_topics(["dns"])
    metrics.show_shadow("url", ModelRef("m", "1", "0" * 64))
    for name, labels in (
        ("records_total", {"topic": "dns"}),
        ("record_age_seconds_count", {"topic": "dns"}),
        ("dead_letters_total", {"topic": "dns", "reason": "malformed"}),
        ("alerts_total", {"kind": "host"}),
        ("model_refusals_total", {"reason": "damaged"}),
        (
            "shadow_disagreements_total",
            {"kind": "url", "served": "benign", "shadow": "malicious"},
        ),
        ("publish_retries_total", {}),
    ):
        assert metrics.registry.get_sample_value(f"stream_detector_{name}", labels) == 0


def test_a_model_is_shown_with_when_it_was_trained() -> None:
    metrics = Metrics()
    ref = ModelRef(name="m", version="1", sha256="0" * 64)
    trained = datetime(2026, 11, 1, tzinfo=UTC)
    model = ServedModel(ref, Thresholds(0.5, 0.9), created_at=trained)
    metrics.show_model("url", model)
    value = metrics.registry.get_sample_value
    name = "stream_detector_model_created_timestamp_seconds"
    assert value(name, {"kind": "url"}) == trained.timestamp()
    assert value(name, {"kind": "host"}) is None


def test_names_follow_the_prometheus_rules() -> None:
    metrics = Metrics()
    metrics.scores.observe_all("url", [0.5])
    families = list(metrics.registry.collect())
    assert len(families) > 20
    for family in families:
        # Those of any process have the names that every exporter gives them.
        assert re.fullmatch(r"(stream_detector|process)_[a-z_]+", family.name)
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)$", family.name)


def test_workers_in_one_process_do_not_share_a_registry() -> None:
    first, second = Metrics(), Metrics()
    first.alerts.labels("url").inc()
    assert second.registry.get_sample_value("stream_detector_alerts_total", {"kind": "url"}) == 0


def test_the_model_announced_last_is_the_only_one_shown_as_announced():
    metrics = Metrics()
    for version in ("1", "2"):
        metrics.show_announced("url", ModelRef("m", version, version * 64))

    (family,) = (
        each
        for each in metrics.registry.collect()
        if each.name == "stream_detector_announced_model_info"
    )
    assert [sample.labels["version"] for sample in family.samples] == ["2"]


def test_the_model_store_s_free_space_is_shown_only_of_a_folder(tmp_path):
    metrics = Metrics()
    name = "stream_detector_model_store_free_bytes"
    assert isnan(metrics.registry.get_sample_value(name))

    metrics.show_free_space(tmp_path)
    assert metrics.registry.get_sample_value(name) > 0
    metrics.show_free_space(tmp_path / "none")
    assert isnan(metrics.registry.get_sample_value(name))


def test_no_series_holds_the_creation_time_of_a_counter():
    samples = [s.name for family in Metrics().registry.collect() for s in family.samples]

    assert samples
    assert not [name for name in samples if name.endswith("_created")]


def test_a_worker_of_six_topics_with_24_partitions_has_fewer_than_600_series():
    metrics = Metrics()
    topics = [f"topic-{number}" for number in range(6)]
    metrics.expect_topics(topics)
    metrics.show_group("detectors")
    served = {}
    for kind in get_args(Kind):
        manifest = load_bundle(ROOT / "data" / "models" / kind, kind=kind).manifest
        ref = ModelRef(manifest.name, manifest.version, "0" * 64)
        served[kind] = ServedModel(
            ref,
            Thresholds(0.5, 0.9),
            created_at=manifest.created_at,
            reference=manifest.reference,
        )
        metrics.show_model(kind, served[kind])
        metrics.show_announced(kind, ref)
        metrics.scores.observe_all(kind, [0.5])
        for verdict in get_args(VerdictName):
            metrics.verdicts.labels(kind, verdict, ref.version, "model")
    metrics.drift.follow(served)
    for kind in served:
        metrics.drift.observe(kind, ["a.example"] * TEXTS_MIN, [0.5] * TEXTS_MIN)
    for topic in topics:
        metrics.events.labels(topic, "zeek", "url")
        metrics.ignored.labels(topic, "zeek")
        for of_topic in (metrics.topic_partitions, metrics.owned_partitions):
            of_topic.labels(topic)
        for partition in range(4):
            for of_partition in (
                *(metrics.committed_offset, metrics.end_offset),
                *(metrics.lag_records, metrics.lag_seconds),
            ):
                of_partition.labels(topic, partition)
    for stage in ("parse", "decide", "score", "publish"):
        metrics.stage_seconds.labels(stage)
    for result in ("hit", "miss"):
        metrics.cache_lookups.labels(result)

    assert 500 < sum(len(family.samples) for family in metrics.registry.collect()) < 600


def test_the_age_of_records_has_buckets_of_5_seconds_at_the_objective():
    metrics = Metrics()
    metrics.record_age_seconds.observe("dns", 62.0, 1)
    [bounds] = [
        [float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels]
        for family in metrics.registry.collect()
        if family.name == "stream_detector_record_age_seconds"
    ]

    assert 60 in bounds
    near = [bound for bound in bounds if 45 <= bound <= 75]
    assert near[0] == 45
    assert near[-1] == 75
    assert max(after - before for before, after in pairwise(near)) <= 10
    assert {55, 65} <= set(near)
