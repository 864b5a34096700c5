"""Two windows of verdicts held against each other and against the bundle's reference.

Scores and statistics are compared over distinct texts of each input topic, as a reference has each
text once and a worker scores it once; shares of malicious and suspicious are of all verdicts.

The index of the score is a sum over bins, (p - q) * ln(p / q) with the shares p now and q before.
Each share is a sum over topics, or domains, so the index is one too: what a group adds is the sum
over bins of (its part of p - its part of q) * ln(p / q). It is below 0 where a group moved against
the others. Half a row that smoothing adds to each bin belongs to no group.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.models.reference import (
    BINS,
    Histogram,
    Reference,
    bin_labels,
    binned,
    coarsened,
    population_stability_index,
    smoothed,
)
from trainer.drift.references import References
from trainer.drift.verdicts import Columns, ModelKey, Verdicts

__all__ = [
    "Counts",
    "Drift",
    "Group",
    "Groups",
    "ModelDrift",
    "StatisticDrift",
    "Window",
    "Windows",
    "compare",
]


class Windows(NamedTuple):
    """The baseline is what lies before the recent window."""

    baseline_start: datetime
    recent_start: datetime
    end: datetime


class Window(msgspec.Struct, frozen=True):
    """From the start up to the end."""

    start: datetime
    end: datetime


class Counts(msgspec.Struct, frozen=True):
    """What was read of a window, or of a part of it."""

    verdicts: int
    texts: int
    """Distinct ones of each input topic."""
    flagged: int
    """Verdicts that are malicious or suspicious."""

    @property
    def flagged_share(self) -> float:
        """Of the verdicts; 0 where there are none."""
        return self.flagged / self.verdicts if self.verdicts else 0.0


class StatisticDrift(msgspec.Struct, frozen=True):
    """One statistic; lists have an entry a bin, shares are of rows or texts."""

    name: str
    psi_reference: float | None
    """Of the recent window against the reference; None without a reference or recent texts."""
    psi_baseline: float | None
    """Of the recent window against the baseline window."""
    psi_baseline_reference: float | None
    """Of the baseline window against the reference: the level that this network has."""
    bins: list[str]
    recent: list[float]
    baseline: list[float] | None
    reference: list[float] | None


class Group(msgspec.Struct, frozen=True):
    """An input topic, or a registered domain."""

    name: str
    recent: Counts
    baseline: Counts
    score_shift: float
    """What it adds to the index of the score."""
    flagged_shift: float
    """What it adds to the share of verdicts that are malicious or suspicious: recent less
    baseline."""


class Groups(msgspec.Struct, frozen=True):
    """All groups of one sort, counted; and some of them."""

    recent: int
    baseline: int
    """Groups that have verdicts in that window."""
    new: int
    """Groups of the recent window alone."""
    new_share: float
    """Of the recent verdicts."""
    gone: int
    gone_share: float
    """Of the baseline's verdicts."""
    movers: list[Group]
    """Those that add most to what moved, the most first."""
    most_new: list[Group]
    """By verdicts; empty without a baseline."""
    most_gone: list[Group]


class ModelDrift(msgspec.Struct, frozen=True):
    """All about the verdicts of one model."""

    kind: str
    model: str
    version: str
    sha256: str
    recent: Counts
    baseline: Counts
    reference_rows: int | None
    explained: str
    """``baseline`` or ``reference``: what the shifts are counted from."""
    statistics: list[StatisticDrift]
    topics: Groups
    domains: Groups
    remarks: list[str]


class Drift(msgspec.Struct, frozen=True):
    """What the command found. Encodes as JSON as it is."""

    recent: Window
    baseline: Window
    by_list: int
    """Verdicts of a list, not of a model: left out."""
    malformed: int
    """Records that are no verdicts."""
    models: list[ModelDrift]


def compare(
    verdicts: Verdicts, windows: Windows, references: References, *, groups_shown: int
) -> Drift:
    """Compare the windows, for each model that scored something in the recent one."""
    start, middle, end = (moment.timestamp() for moment in windows)
    halves: dict[ModelKey, tuple[Columns, Columns]] = {}
    for key, columns in verdicts.models().items():
        times = columns.detected_at
        recent = columns.rows((times >= middle) & (times < end))
        baseline = columns.rows((times >= start) & (times < middle))
        halves[key] = recent, baseline
    models = []
    for key, (recent, baseline) in sorted(halves.items(), key=lambda item: -_rows(item[1][0])):
        if not _rows(recent):
            continue
        remarks = _remarks(key, halves)
        found = references.of(key)
        if found.remark:
            remarks.append(found.remark)
        models.append(
            _of_model(
                key,
                recent,
                baseline,
                found.reference,
                names=(verdicts.topics, verdicts.domains),
                groups_shown=groups_shown,
                remarks=remarks,
            )
        )
    return Drift(
        recent=Window(windows.recent_start.astimezone(UTC), windows.end.astimezone(UTC)),
        baseline=Window(
            windows.baseline_start.astimezone(UTC), windows.recent_start.astimezone(UTC)
        ),
        by_list=verdicts.by_list,
        malformed=verdicts.malformed,
        models=models,
    )


def _remarks(key: ModelKey, halves: dict[ModelKey, tuple[Columns, Columns]]) -> list[str]:
    others = {
        f"{other.ref.name} {other.ref.version}": _rows(baseline)
        for other, (_, baseline) in halves.items()
        if other.kind == key.kind and other != key and _rows(baseline)
    }
    if not others:
        return []
    told = ", ".join(f"{name} ({rows:,} verdicts)" for name, rows in others.items())
    return [f"Other models scored in the baseline window, which are not compared with: {told}."]


def _of_model(
    key: ModelKey,
    recent: Columns,
    baseline: Columns,
    reference: Reference | None,
    *,
    names: tuple[Sequence[str], Sequence[str]],
    groups_shown: int,
    remarks: list[str],
) -> ModelDrift:
    firsts = _first_of_each_text(recent), _first_of_each_text(baseline)
    texts = recent.rows(firsts[0]), baseline.rows(firsts[1])
    statistics = [
        _statistic(name, edges, *texts, reference) for name, edges in BINS[key.kind].items()
    ]
    edges = _compared_bins("score", BINS[key.kind]["score"], *texts, reference).edges
    weights = _bin_weights(*texts, edges, reference)
    kept = (recent, baseline), firsts
    topic_names, domain_names = names
    return ModelDrift(
        kind=key.kind,
        model=key.ref.name,
        version=key.ref.version,
        sha256=key.ref.sha256,
        recent=_counts(recent, texts[0]),
        baseline=_counts(baseline, texts[1]),
        reference_rows=None if reference is None else reference.rows,
        explained="baseline" if _rows(baseline) else "reference",
        statistics=statistics,
        topics=_groups([part.topics for part in kept[0]], *kept, edges, weights, topic_names, 0),
        domains=_groups(
            [part.domains for part in kept[0]], *kept, edges, weights, domain_names, groups_shown
        ),
        remarks=remarks,
    )


# --- statistics -----------------------------------------------------------------------------


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
    older = baseline if _rows(baseline) else recent
    counts = np.bincount(binned(older.statistics[name], edges), minlength=len(edges) + 1)
    return coarsened(Histogram(edges=list(edges), counts=counts.tolist()))


def _statistic(
    name: str,
    edges: Sequence[float],
    recent: Columns,
    baseline: Columns,
    reference: Reference | None,
) -> StatisticDrift:
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


def _bin_weights(
    recent: Columns, baseline: Columns, edges: Sequence[float], reference: Reference | None
) -> tuple[NDArray[np.float64], float]:
    """ln(p / q) of each bin of the score, and what a text adds by q where there is no baseline."""
    size = len(edges) + 1
    now = np.bincount(binned(recent.statistics["score"], edges), minlength=size)
    if _rows(baseline):
        before = np.bincount(binned(baseline.statistics["score"], edges), minlength=size)
        return np.log(smoothed(now) / smoothed(before)), 0.0
    if reference is None:
        return np.zeros(size), 0.0
    expected = smoothed(coarsened(reference.histograms["score"]).counts)
    weights = np.log(smoothed(now) / expected)
    return weights, float(expected @ weights)


# --- groups ---------------------------------------------------------------------------------


def _groups(
    numbers: Sequence[NDArray[np.int64]],
    windows: tuple[Columns, Columns],
    firsts: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    edges: Sequence[float],
    weights: tuple[NDArray[np.float64], float],
    names: Sequence[str],
    shown: int,
) -> Groups:
    """Groups by ``numbers``, of the recent window and the baseline; all where ``shown`` is 0."""
    of_bin, of_text = weights
    verdicts, texts, flagged, score_parts = [], [], [], []
    for group, window, first in zip(numbers, windows, firsts, strict=True):
        size = len(names)
        verdicts.append(np.bincount(group, minlength=size))
        texts.append(np.bincount(group[first], minlength=size))
        flagged.append(np.bincount(group[window.is_flagged], minlength=size))
        added = of_bin[binned(window.statistics["score"][first], edges)] - of_text
        parts = np.bincount(group[first], weights=added, minlength=size)
        score_parts.append(parts / max(int(first.sum()), 1))
    score_shifts = score_parts[0] - score_parts[1]
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


def _first_of_each_text(columns: Columns) -> NDArray[np.bool_]:
    is_first = np.zeros(_rows(columns), bool)
    is_first[np.unique(columns.texts, return_index=True)[1]] = True
    return is_first


def _counts(columns: Columns, texts: Columns) -> Counts:
    return Counts(_rows(columns), _rows(texts), int(columns.is_flagged.sum()))


def _rows(columns: Columns) -> int:
    return len(columns.detected_at)
