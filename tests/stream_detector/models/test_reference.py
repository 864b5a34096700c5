"""Statistics of texts, their bins, and the population stability index."""

import itertools
import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.canonical import canonicalise
from stream_detector.errors import BundleError
from stream_detector.events import Canonical
from stream_detector.models.bundle import load_bundle, save_bundle
from stream_detector.models.reference import (
    BINS,
    Histogram,
    bin_labels,
    binned,
    coarsened,
    measured,
    population_stability_index,
    reference_of,
)
from stream_detector.settings.fields import Settings
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest

COUNTS = st.lists(st.integers(0, 10_000), min_size=4, max_size=4)


def of_one(kind, text):
    """The statistics one text at a time, as anybody would write them."""
    host, _, _ = text.partition("/")
    path, _, query = text.partition("?")
    statistics = {
        "length": len(text),
        "dots": (host if kind == "url" else text).count("."),
        "digits": sum(c in "0123456789" for c in text) / max(len(text), 1),
    }
    if kind == "url":
        statistics |= {"depth": path.count("/"), "query": len(query)}
    return statistics


@given(
    st.sampled_from(["url", "host"]),
    st.lists(st.text(st.sampled_from("ab.1/9?:"), max_size=30), min_size=1, max_size=20),
)
def test_statistics_of_many_texts_are_those_of_each(kind, texts):
    # A canonical URL has its query after a path.
    if kind == "url":
        texts = [text for text in texts if "/" in text.partition("?")[0] or "?" not in text]
    scores = np.linspace(0, 1, len(texts))
    found = measured(kind, texts, scores)
    assert set(found) == set(BINS[kind])
    for row, text in enumerate(texts):
        expected = of_one(kind, text) | {"score": scores[row]}
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["url", "host"])
def test_no_texts_have_no_statistics(kind):
    assert all(len(values) == 0 for values in measured(kind, [], np.empty(0)).values())


def test_a_query_is_what_follows_a_path_in_canonical_form():
    canonical = canonicalise("url", "http://a.com?x=1.2/3")
    assert isinstance(canonical, Canonical)
    found = measured("url", [canonical.text], np.array([0.5]))
    assert {name: float(values[0]) for name, values in found.items() if name != "digits"} == {
        "score": 0.5,
        "length": 14.0,
        "dots": 1.0,
        "depth": 1.0,
        "query": 7.0,
    }


@given(
    st.one_of(
        st.lists(st.integers(0, 70_000), min_size=1).map(lambda values: np.array(values, np.int64)),
        st.lists(st.floats(0, 300), min_size=1).map(np.array),
    ),
    st.lists(st.integers(0, 200), min_size=1, unique=True).map(sorted),
)
def test_a_bin_holds_its_lower_edge_and_not_its_upper_one(values, edges):
    bounds = [-math.inf, *edges, math.inf]
    for value, place in zip(values, binned(values, edges), strict=True):
        assert bounds[place] <= value < bounds[place + 1]


def test_bins_are_called_by_their_edges():
    assert bin_labels([0.5, 1, 20]) == ["<0.5", "[0.5,1)", "[1,20)", ">=20"]


# --- the index ------------------------------------------------------------------------------


def test_the_index_is_what_the_formula_gives_by_hand():
    # Large enough for half a row more or less not to show: (.2-.4)ln(.2/.4) + (.8-.6)ln(.8/.6).
    by_hand = -0.2 * math.log(0.5) + 0.2 * math.log(4 / 3)
    assert by_hand == pytest.approx(0.19617, abs=1e-5)
    index = population_stability_index([2_000_000, 8_000_000], [4_000_000, 6_000_000])
    assert index == pytest.approx(by_hand, abs=1e-6)


def test_an_empty_bin_counts_as_half_a_row():
    # Shares (0.5, 3.5) / 4 and (2.5, 1.5) / 4.
    by_hand = (0.125 - 0.625) * math.log(0.125 / 0.625) + (0.875 - 0.375) * math.log(0.875 / 0.375)
    assert population_stability_index([0, 3], [2, 1]) == pytest.approx(by_hand)


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_never_negative_and_0_for_the_same(one, other):
    index = population_stability_index(one, other)
    assert index == pytest.approx(population_stability_index(other, one))
    assert index >= 0
    assert population_stability_index(one, one) == 0
    assert (index > 0) == (one != other) or sum(one) != sum(other)


def test_without_drift_the_index_is_as_small_as_chance_makes_it():
    rng = np.random.default_rng(0)
    shares = [0.4, 0.3, 0.2, 0.05, 0.05]
    indexes = [
        population_stability_index(rng.multinomial(1000, shares), rng.multinomial(5000, shares))
        for _ in range(500)
    ]
    # (bins - 1) * (1/n + 1/m), as the module says.
    assert np.mean(indexes) == pytest.approx(4 * (1 / 1000 + 1 / 5000), rel=0.15)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=12).filter(any))
def test_coarse_bins_hold_all_rows_and_no_neighbours_with_next_to_none(counts):
    histogram = Histogram(edges=[float(edge) for edge in range(1, len(counts))], counts=counts)
    coarse = coarsened(histogram)
    assert set(coarse.edges) <= set(histogram.edges)
    values = np.repeat(np.arange(len(counts)) + 0.5, counts)
    found = np.bincount(binned(values, coarse.edges), minlength=len(coarse.edges) + 1)
    assert found.tolist() == coarse.counts
    least = 0.005 * sum(counts)
    assert all(max(pair) >= least for pair in itertools.pairwise(coarse.counts))


def test_an_empty_end_stays_a_bin_of_its_own():
    coarse = coarsened(Histogram(edges=[1.0, 2.0, 3.0, 4.0], counts=[1000, 0, 0, 0, 0]))
    assert coarse == Histogram(edges=[1.0], counts=[1000, 0])
    assert population_stability_index([900, 100], coarse.counts) > 0.25


# --- in a bundle ----------------------------------------------------------------------------


def with_reference(folder):
    reference = reference_of("url", ["a.com/x?y=1", "b.org"], np.array([0.01, 0.3]))
    manifest = msgspec.structs.replace(small_manifest("url"), reference=reference)
    return save_bundle(folder, manifest, ARCHITECTURE.initial_weights(0))


def test_a_bundle_keeps_its_reference(tmp_path):
    saved = with_reference(tmp_path / "url")
    loaded = load_bundle(tmp_path / "url")
    assert loaded.manifest.reference == saved.manifest.reference
    assert loaded.manifest.reference.rows == 2
    assert loaded.manifest.reference.histograms["query"].counts == [1, 1, 0, 0, 0, 0, 0]


def test_a_bundle_from_before_there_was_a_reference_serves_as_before(tmp_path):
    save_small_bundle(tmp_path / "url")
    path = tmp_path / "url" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["reference"]
    path.write_text(json.dumps(manifest))
    assert load_bundle(tmp_path / "url").manifest.reference is None


def change(path, value):
    def apply(reference):
        *way, last = path
        for name in way:
            reference = reference[name]
        if value is None:
            del reference[last]
        else:
            reference[last] = value

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(["histograms", "score"], None), "no histogram of the score"),
        (change(["histograms", "colour"], {"edges": [1], "counts": [1, 1]}), "'colour' is no"),
        (change(["histograms", "dots", "edges"], [1, 3, 2, 4, 5]), "edges of dots do not rise"),
        (change(["histograms", "dots", "edges"], [1, 2, 3, 4, 1e18]), "edges of dots do not rise"),
        (change(["histograms", "dots", "edges"], []), "edges of dots do not rise"),
        (change(["histograms", "dots", "counts"], [1, 1]), "dots has 2 counts, 5 edges part 6"),
        (change(["histograms", "dots", "counts"], [3, -1, 0, 0, 0, 0]), "do not add up to its 2"),
        (change(["rows"], 3), "do not add up to its 3 rows"),
        (change(["rows"], None), "is not a manifest: .*rows"),
        (change(["histograms", "dots", "counts"], "many"), "is not a manifest: .*dots|array"),
    ],
)
def test_a_malformed_reference_is_refused_and_named(tmp_path, damage, message):
    with_reference(tmp_path / "url")
    path = tmp_path / "url" / "manifest.json"
    manifest = json.loads(path.read_text())
    damage(manifest["reference"])
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=message):
        load_bundle(tmp_path / "url")


@pytest.mark.parametrize("kind", ["url", "host"])
def test_the_default_models_have_a_reference_of_the_test_parts_benign_rows(kind):
    settings = Settings()
    bundle = load_bundle(settings.url_bundle if kind == "url" else settings.host_bundle)
    metrics, reference = bundle.manifest.metrics, bundle.manifest.reference
    assert reference is not None
    assert reference.rows == metrics["rows"] - metrics["malicious"]
    assert {name: tuple(one.edges) for name, one in reference.histograms.items()} == BINS[kind]
    score = reference.histograms["score"]
    above = sum(c for c, edge in zip(score.counts[1:], score.edges, strict=True) if edge >= 0.8)
    assert 0 < above / reference.rows < 0.04
