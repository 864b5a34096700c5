"""Distributions of one statistic in two windows and in a reference: how far they are apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.reference import (
    Histogram,
    Reference,
    bin_labels,
    binned,
    coarsened,
    population_stability_index,
    smoothed,
)
from trainer.drift.findings import StatisticDrift
from trainer.drift.verdicts import Columns

__all__ = ["ScoreBins", "score_bins", "statistic_drift"]


class ScoreBins(NamedTuple):
    """What a text adds to the index of the score, by its bin."""

    edges: Sequence[float]
    of_bin: NDArray[np.float64]
    of_text: float
    """Less this, whatever its bin."""
    has_baseline: bool
    """Whether the older window's texts count against it."""


def statistic_drift(
    name: str,
    edges: Sequence[float],
    recent: Columns,
    baseline: Columns,
    reference: Reference | None,
) -> StatisticDrift:
    """The statistic ``name``, binned at ``edges`` or, to have enough in each, at some of them.

    ``recent`` and ``baseline`` have the first verdict of each text.
    """
    bins = _compared_bins(name, edges, recent, baseline, reference)
    size = len(bins.counts)
    now = np.bincount(binned(recent.statistics[name], bins.edges), minlength=size)
    before = np.bincount(binned(baseline.statistics[name], bins.edges), minlength=size)
    has_baseline = before.sum() > 0
    expected = None
    if reference is not None and name in reference.histograms:
        expected = np.array(bins.counts)
    return StatisticDrift(
        name=name,
        psi_reference=None if expected is None else population_stability_index(now, expected),
        psi_baseline=population_stability_index(now, before) if has_baseline else None,
        psi_baseline_reference=population_stability_index(before, expected)
        if has_baseline and expected is not None
        else None,
        bins=bin_labels(bins.edges),
        recent=(now / now.sum()).tolist(),
        baseline=(before / before.sum()).tolist() if has_baseline else None,
        reference=None if expected is None else (expected / expected.sum()).tolist(),
    )


def score_bins(
    edges: Sequence[float], recent: Columns, baseline: Columns, reference: Reference | None
) -> ScoreBins:
    """What the index of the score is the sum of, for the same windows as ``statistic_drift``.

    It counts against the baseline where that has texts, else against the reference if there is one.
    """
    compared = _compared_bins("score", edges, recent, baseline, reference).edges
    weights = _bin_weights(recent, baseline, compared, reference)
    return ScoreBins(compared, *weights, has_baseline=baseline.row_count > 0)


def _compared_bins(
    name: str,
    edges: Sequence[float],
    recent: Columns,
    baseline: Columns,
    reference: Reference | None,
) -> Histogram:
    """The bins to compare by, with the reference's rows, or else those of the older window."""
    if reference is not None and name in reference.histograms:
        return coarsened(reference.histograms[name])
    older = baseline if baseline.row_count else recent
    counts = np.bincount(binned(older.statistics[name], edges), minlength=len(edges) + 1)
    return coarsened(Histogram(edges=list(edges), counts=counts.tolist()))


def _bin_weights(
    recent: Columns, baseline: Columns, edges: Sequence[float], reference: Reference | None
) -> tuple[NDArray[np.float64], float]:
    """ln(p / q) of each bin of the score, and what a text adds by q where there is no baseline."""
    size = len(edges) + 1
    now = np.bincount(binned(recent.statistics["score"], edges), minlength=size)
    if baseline.row_count:
        before = np.bincount(binned(baseline.statistics["score"], edges), minlength=size)
        return np.log(smoothed(now) / smoothed(before)), 0.0
    if reference is None:
        return np.zeros(size), 0.0
    expected = smoothed(coarsened(reference.histograms["score"]).counts)
    weights = np.log(smoothed(now) / expected)
    return weights, float(expected @ weights)
