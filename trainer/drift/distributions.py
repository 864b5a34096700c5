"""How far distributions are apart, and which input topics and domains moved them.

The index of the score is a sum over bins, (p - q) * ln(p / q) with the shares p now and q before.
Each share is a sum over topics, or domains, so the index is one too: what a group adds is the sum
over bins of (its part of p - its part of q) * ln(p / q). It is below 0 where a group moved against
the others. Half a row that smoothing adds to each bin belongs to no group.
"""

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
from trainer.drift.findings import Counts, Group, Groups, StatisticDrift
from trainer.drift.verdicts import Columns


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


def compared_groups(
    numbers: Sequence[NDArray[np.int64]],
    windows: tuple[Columns, Columns],
    score_bins: ScoreBins,
    names: Sequence[str],
    shown: int,
) -> Groups:
    """What verdicts of each group there are in two windows, and what it adds to what moved.

    Args:
        numbers: of each row's group, as places in ``names``; for either window.
        windows: the recent one and the baseline.
        score_bins: of the same windows.
        names: of all groups.
        shown: at most so many are named; all where it is 0.
    """
    verdicts, texts, flagged, score_parts = [], [], [], []
    for group, window in zip(numbers, windows, strict=True):
        size, first = len(names), window.is_first_of_text()
        verdicts.append(np.bincount(group, minlength=size))
        texts.append(np.bincount(group[first], minlength=size))
        flagged.append(np.bincount(group[window.is_flagged], minlength=size))
        bins = binned(window.statistics["score"][first], score_bins.edges)
        added = score_bins.of_bin[bins] - score_bins.of_text
        parts = np.bincount(group[first], weights=added, minlength=size)
        score_parts.append(parts / max(int(first.sum()), 1))
    score_shifts = score_parts[0] - score_parts[1] * score_bins.has_baseline
    flagged_parts = [of / max(len(group), 1) for of, group in zip(flagged, numbers, strict=True)]
    has_baseline = len(numbers[1]) > 0
    flagged_shifts = flagged_parts[0] - flagged_parts[1] if has_baseline else 0 * flagged_parts[0]
    is_new, is_gone = (verdicts[1] == 0) & (verdicts[0] > 0), (verdicts[0] == 0) & (verdicts[1] > 0)
    # Both sorts of shift count by their share of all there is of it.
    moved = _shares_of_all(score_shifts) + _shares_of_all(flagged_shifts)

    def most(by: NDArray[np.floating] | NDArray[np.int64]) -> list[Group]:
        order = np.argsort(-by, kind="stable")[: shown or len(names)]
        return [group_at(int(place)) for place in order if by[place] > 0]

    def group_at(place: int) -> Group:
        counts = [
            Counts(int(verdicts[w][place]), int(texts[w][place]), int(flagged[w][place]))
            for w in (0, 1)
        ]
        return Group(
            name=names[place],
            recent=counts[0],
            baseline=counts[1],
            score_shift=float(score_shifts[place]),
            flagged_shift=float(flagged_shifts[place]),
        )

    return Groups(
        recent=int((verdicts[0] > 0).sum()),
        baseline=int((verdicts[1] > 0).sum()),
        new=int(is_new.sum()) if has_baseline else 0,
        new_share=float(verdicts[0][is_new].sum() / len(numbers[0])) if has_baseline else 0.0,
        gone=int(is_gone.sum()),
        gone_share=float(verdicts[1][is_gone].sum() / len(numbers[1])) if has_baseline else 0.0,
        movers=most(moved),
        most_new=most(np.where(is_new, verdicts[0], 0)) if has_baseline else [],
        most_gone=most(np.where(is_gone, verdicts[1], 0)),
    )


def _shares_of_all(shifts: NDArray[np.floating]) -> NDArray[np.floating]:
    sizes: NDArray[np.floating] = np.abs(shifts)
    return sizes / (float(sizes.sum()) or 1.0)
