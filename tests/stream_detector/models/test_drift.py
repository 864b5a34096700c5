"""A worker's drift from its bundle's reference, with a real bundle and the real scorer."""

import math

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream_detector.assembly import decider_of
from stream_detector.metrics import Metrics
from stream_detector.models.bundle import save_bundle
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.drift import TEXTS_MIN, DriftWindow
from stream_detector.models.reference import reference_of
from stream_detector.models.scorer import Network, Scorer
from stream_detector.settings.fields import Settings
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest
from support.scoring import WordScorer

pytestmark = pytest.mark.slow

DEVICE = choose_device("cpu", visible_gpus())


def ordinary(count, start=0):
    return [f"shop{n:05d}.example.org/a/page{n % 7}" for n in range(start, start + count)]


def other(count):
    return [f"{n % 250}.12.{n % 9}.7/setup?session={n:032d}" for n in range(count)]


def bundle_with_reference(folder, *, seed=0, rows=4000):
    bare = save_small_bundle(folder, seed=seed)
    texts = ordinary(rows, start=20_000)
    scores = Network(bare, DEVICE).score(texts)
    manifest = msgspec.structs.replace(
        small_manifest("url"), version=str(seed), reference=reference_of("url", texts, scores)
    )
    return save_bundle(folder, manifest, ARCHITECTURE.initial_weights(seed))


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "url": bundle_with_reference(folder / "url"),
        "host": save_small_bundle(folder / "host", "host"),
    }


@pytest.fixture
def scorer(bundles):
    return Scorer(bundles, device=DEVICE)


@pytest.fixture
def decider(scorer, metrics):
    return decider_of(scorer, settings=Settings(), metrics=metrics)


def feed(decider, texts):
    for start in range(0, len(texts), 500):
        decider.decide([("url", f"http://{text}") for text in texts[start : start + 500]])


def indexes(metrics):
    """By kind, version and statistic, as a scrape has them."""
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.labels["kind"], sample.labels["version"], sample.labels["statistic"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "stream_detector_population_stability_index"
    }


def test_an_index_comes_after_enough_texts_and_other_traffic_raises_it(decider, metrics):
    feed(decider, ordinary(TEXTS_MIN - 1))
    assert indexes(metrics) == {}
    feed(decider, ordinary(TEXTS_MIN))
    feed(decider, ordinary(3000))

    before = indexes(metrics)
    statistics = ("score", "length", "dots", "digits", "depth", "query")
    assert set(before) == {("url", "0", name) for name in statistics}  # Hosts have no reference.
    assert max(before.values()) < 0.1

    feed(decider, other(6000))

    after = indexes(metrics)
    assert min(after[("url", "0", name)] for name in ("dots", "digits", "depth", "query")) > 1
    assert all(after[key] > value for key, value in before.items())


def test_what_is_remembered_is_counted_once(decider, metrics):
    feed(decider, ordinary(600))
    feed(decider, ordinary(600))

    assert binned_texts(metrics, "query") == {"<1": 600, ">=1": 0}


def test_all_workers_together_can_be_reckoned_from_counts_and_reference(decider, metrics):
    feed(decider, [*ordinary(2000), *other(2000)])
    counts, shares = binned_texts(metrics, "depth"), reference_shares(metrics, "depth")

    assert counts.keys() == shares.keys()
    assert sum(counts.values()) == 4000
    assert sum(shares.values()) == pytest.approx(1)


def binned_texts(metrics, statistic):
    return of_bins(metrics, "stream_detector_binned_texts_total", statistic)


def reference_shares(metrics, statistic):
    return of_bins(metrics, "stream_detector_reference_ratio", statistic)


def of_bins(metrics, name, statistic):
    return {
        sample.labels["bin"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and sample.labels["statistic"] == statistic
    }


def test_another_model_begins_with_an_empty_window(decider, scorer, metrics, tmp_path):
    feed(decider, ordinary(2000))
    assert {version for _, version, _ in indexes(metrics)} == {"0"}

    scorer.switch("url", Network(bundle_with_reference(tmp_path / "new", seed=1), DEVICE))
    feed(decider, ordinary(10))
    assert indexes(metrics) == {}
    assert binned_texts(metrics, "query") == {"<1": 10, ">=1": 0}

    feed(decider, ordinary(2000, start=10))
    assert {version for _, version, _ in indexes(metrics)} == {"1"}


def test_a_switch_of_the_other_kind_leaves_the_window(decider, scorer, metrics, tmp_path):
    feed(decider, ordinary(2000))
    before = indexes(metrics)

    scorer.switch("host", Network(save_small_bundle(tmp_path / "new", "host", seed=1), DEVICE))
    decider.decide([("host", "a.example")])
    assert indexes(metrics) == before


def test_bundles_without_a_reference_have_no_drift(metrics):
    decider = decider_of(WordScorer(), settings=Settings(), metrics=metrics)
    feed(decider, ordinary(2000))
    assert indexes(metrics) == {}


def test_a_text_without_a_score_is_left_out(metrics):
    texts = ordinary(10)
    window = DriftWindow("url", reference_of("url", texts, [0.125] * 10))
    window.observe(texts, [math.nan, *[0.125] * 9])
    window.observe(texts[:1], [math.nan])
    assert window.figures()["score"].observed == [0, 9, 0]


def test_a_reference_of_few_rows_gives_no_index(tmp_path):
    texts = ordinary(2000)
    for rows, is_told in ((TEXTS_MIN - 1, False), (TEXTS_MIN, True)):
        window = DriftWindow("url", reference_of("url", texts[:rows], [0.125] * rows))
        window.observe(texts, [0.125] * 2000)
        assert (window.figures()["score"].psi is not None) == is_told


def test_old_texts_fade_out():
    texts = ordinary(2000)
    window = DriftWindow("url", reference_of("url", [*texts, *other(2000)], [0.1] * 4000))
    history = []
    for texts_of_day in (texts, other(2000)):
        for _ in range(60):
            window.observe(texts_of_day, [0.1] * 2000)
        history.append(window.figures()["query"].psi)
    # Half of the reference is of each sort. Were all texts of both days held equal, the second
    # figure would be next to 0.
    assert min(history) > 1
