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
from trainer.drift.verdicts import Rows, first_of_text


class ScoreBins(NamedTuple):
    """How much a text adds to the index of the score, by its bin."""

    edges: Sequence[float]
    of_bin: NDArray[np.float64]
    """ln(p / q)."""
    of_text: float
    """Subtracted whatever the bin: the part of q, where q is of the reference and no text's."""
    has_baseline: bool
    """Whether the older window's texts count against it."""


def statistic_drift(
    name: str, edges: Sequence[float], recent: Rows, baseline: Rows, reference: Reference | None
) -> StatisticDrift:
    """The statistic ``name``, binned at ``edges`` or, to have enough in each, at some of them.

    ``recent`` and ``baseline`` have the first verdict of each text.
    """
    bins = _compared_bins(name, edges, recent, baseline, reference)
    now, before = (_counts(rows[name], bins.edges) for rows in (recent, baseline))
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
    edges: Sequence[float], recent: Rows, baseline: Rows, reference: Reference | None
) -> ScoreBins:
    """The summands of the index of the score, for the same windows as ``statistic_drift``.

    It counts against the baseline where that has texts, else against the reference if there is one.
    """
    edges = _compared_bins("score", edges, recent, baseline, reference).edges
    now = smoothed(_counts(recent["score"], edges))
    if len(baseline):
        before = smoothed(_counts(baseline["score"], edges))
        return ScoreBins(edges, np.log(now / before), 0.0, has_baseline=True)
    if reference is None:
        return ScoreBins(edges, np.zeros(len(now)), 0.0, has_baseline=False)
    expected = smoothed(coarsened(reference.histograms["score"]).counts)
    weights = np.log(now / expected)
    return ScoreBins(edges, weights, float(expected @ weights), has_baseline=False)


def _compared_bins(
    name: str, edges: Sequence[float], recent: Rows, baseline: Rows, reference: Reference | None
) -> Histogram:
    """The bins to compare by, with the reference's rows, or else those of the older window."""
    if reference is not None and name in reference.histograms:
        return coarsened(reference.histograms[name])
    older = baseline if len(baseline) else recent
    counts = _counts(older[name], edges)
    return coarsened(Histogram(edges=list(edges), counts=counts.tolist()))


def _counts(values: NDArray[np.float32], edges: Sequence[float]) -> NDArray[np.int64]:
    return np.bincount(binned(values, edges), minlength=len(edges) + 1)


def compared_groups(
    by: str, recent: Rows, baseline: Rows, bins: ScoreBins, names: Sequence[str], shown: int
) -> Groups:
    """The verdicts of each group in two windows, and how much it adds to what moved.

    Args:
        by: the field that groups: ``topic`` or ``domain``.
        recent: the recent window.
        baseline: the window before it.
        bins: of the score, in the same windows.
        names: of all groups, by number.
        shown: name at most so many of each sort; 0 names all.
    """
    size, windows = len(names), (recent, baseline)
    verdicts, texts, flagged, score_parts, flagged_parts = [], [], [], [], []
    for window in windows:
        first = window[first_of_text(window)]
        verdicts.append(np.bincount(window[by], minlength=size))
        texts.append(np.bincount(first[by], minlength=size))
        flagged.append(np.bincount(window[by][window["is_flagged"]], minlength=size))
        added = bins.of_bin[binned(first["score"], bins.edges)] - bins.of_text
        parts = np.bincount(first[by], weights=added, minlength=size)
        score_parts.append(parts / max(len(first), 1))
        flagged_parts.append(flagged[-1] / max(len(window), 1))
    has_baseline = len(baseline) > 0
    score_shifts = score_parts[0] - score_parts[1] * bins.has_baseline
    flagged_shifts = (flagged_parts[0] - flagged_parts[1]) * has_baseline
    is_new = (verdicts[1] == 0) & (verdicts[0] > 0) & has_baseline
    is_gone = (verdicts[0] == 0) & (verdicts[1] > 0)
    # The two shifts have no common unit: each counts by its share of all shifts of its sort.
    moved = sum(
        np.abs(shifts) / (float(np.abs(shifts).sum()) or 1.0)
        for shifts in (score_shifts, flagged_shifts)
    )

    def most(by: NDArray[np.floating] | NDArray[np.int64]) -> list[Group]:
        order = np.argsort(-by, kind="stable")[: shown or size]
        return [group_at(int(place)) for place in order if by[place] > 0]

    def group_at(place: int) -> Group:
        of_recent, of_baseline = (
            Counts(int(verdicts[w][place]), int(texts[w][place]), int(flagged[w][place]))
            for w in (0, 1)
        )
        shifts = float(score_shifts[place]), float(flagged_shifts[place])
        return Group(names[place], of_recent, of_baseline, *shifts)

    return Groups(
        recent=int((verdicts[0] > 0).sum()),
        baseline=int((verdicts[1] > 0).sum()),
        new=int(is_new.sum()),
        new_share=float(verdicts[0][is_new].sum() / len(recent)),
        gone=int(is_gone.sum()),
        gone_share=float(verdicts[1][is_gone].sum() / max(len(baseline), 1)),
        movers=most(np.asarray(moved)),
        most_new=most(np.where(is_new, verdicts[0], 0)),
        most_gone=most(np.where(is_gone, verdicts[1], 0)),
    )
