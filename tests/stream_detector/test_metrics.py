import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream_detector.metrics import BatchHistogram, Metrics

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


def test_names_follow_the_prometheus_rules() -> None:
    metrics = Metrics()
    metrics.scores.observe_all("url", [0.5])
    families = list(metrics.registry.collect())
    assert len(families) > 20
    for family in families:
        assert re.fullmatch(r"stream_detector_[a-z_]+", family.name)
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)$", family.name)


def test_workers_in_one_process_do_not_share_a_registry() -> None:
    first, second = Metrics(), Metrics()
    first.alerts.labels("url").inc()
    assert second.registry.get_sample_value("stream_detector_alerts_total", {"kind": "url"}) is None
