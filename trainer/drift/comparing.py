"""Two windows of verdicts held against each other and against the bundle's reference.

Scores and statistics are compared over distinct texts of each input topic, as a reference has each
text once and a worker scores it once; shares of malicious and suspicious are of all verdicts.
Scores are compared with those of the same model. Statistics of the input have no model in them:
they are compared over all models of a kind, so that a switch of models leaves them their baseline.

The index of the score is a sum over bins, (p - q) * ln(p / q) with the shares p now and q before.
Each share is a sum over topics, or domains, so the index is one too: what a group adds is the sum
over bins of (its part of p - its part of q) * ln(p / q). It is below 0 where a group moved against
the others. Half a row that smoothing adds to each bin belongs to no group.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind, ModelRef
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
from trainer.drift.verdicts import Columns, ModelKey, Verdicts, joined

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


_Halves = tuple[Columns, Columns]
"""The recent window and the baseline."""


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
    """One statistic; lists have an entry a bin, shares are of rows or texts.

    The score's is of the model's own verdicts, that of the input of all models of its kind.
    """

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
    """What it adds to the index of the score, since what ``ModelDrift.explained`` says."""
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
    """Of the models of its kind before it, where it has no verdict of its own there."""
    serves_from: datetime | None
    """Its first verdict that was read, where ``baseline`` is of the models before it."""
    reference_rows: int | None
    explained: str
    """``baseline`` or ``reference``: what shifts of the score are counted from. Those of the
    flagged share are counted from ``baseline`` in any case."""
    statistics: list[StatisticDrift]
    topics: Groups
    domains: Groups
    remarks: list[str]

    @property
    def ref(self) -> ModelRef:
        """As verdicts name the model."""
        return ModelRef(self.model, self.version, self.sha256)


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
    halves: dict[ModelKey, _Halves] = {}
    for key, columns in verdicts.models().items():
        times = columns.detected_at
        recent = columns.rows((times >= middle) & (times < end))
        baseline = columns.rows((times >= start) & (times < middle))
        halves[key] = recent, baseline
    models = []
    for key, own in sorted(halves.items(), key=lambda item: -_rows(item[1][0])):
        if not _rows(own[0]):
            continue
        remarks = _remarks(key, halves)
        found = references.of(key)
        if found.remark:
            remarks.append(found.remark)
        models.append(
            _of_model(
                key,
                own,
                _of_kind(key.kind, halves),
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


def _of_kind(kind: Kind, halves: Mapping[ModelKey, _Halves]) -> _Halves:
    """What all models of ``kind`` scored."""
    of_kind = [windows for key, windows in halves.items() if key.kind == kind]
    return joined([recent for recent, _ in of_kind]), joined([before for _, before in of_kind])


def _remarks(key: ModelKey, halves: Mapping[ModelKey, _Halves]) -> list[str]:
    others = {
        f"{other.ref.name} {other.ref.version} ({other.ref.short})": _rows(baseline)
        for other, (_, baseline) in halves.items()
        if other.kind == key.kind and other != key and _rows(baseline)
    }
    if not others:
        return []
    told = ", ".join(f"{name} with {rows:,} verdicts" for name, rows in others.items())
    if _rows(halves[key][1]):
        return [
            f"In the baseline window {told} served too: inputs are compared with theirs as well, "
            "scores and the flagged share with its own alone."
        ]
    return [
        f"Before it served {told}: inputs, domains and the flagged share are compared with theirs."
    ]


def _of_model(
    key: ModelKey,
    own: _Halves,
    of_kind: _Halves,
    reference: Reference | None,
    *,
    names: tuple[Sequence[str], Sequence[str]],
    groups_shown: int,
    remarks: list[str],
) -> ModelDrift:
    recent, own_baseline = own
    has_own = _rows(own_baseline) > 0
    baseline = own_baseline if has_own else of_kind[1]
    own_texts, texts_of_kind = _texts(own), _texts(of_kind)
    statistics = [
        _statistic(name, edges, *(own_texts if name == "score" else texts_of_kind), reference)
        for name, edges in BINS[key.kind].items()
    ]
    edges = _compared_bins("score", BINS[key.kind]["score"], *own_texts, reference).edges
    score_bins = _ScoreBins(edges, *_bin_weights(*own_texts, edges, reference), has_own)
    windows = recent, baseline
    topic_names, domain_names = names
    return ModelDrift(
        kind=key.kind,
        model=key.ref.name,
        version=key.ref.version,
        sha256=key.ref.sha256,
        recent=_counts(recent),
        baseline=_counts(baseline),
        serves_from=None if has_own or not _rows(baseline) else _first_at(recent),
        reference_rows=None if reference is None else reference.rows,
        explained="baseline" if has_own else "reference",
        statistics=statistics,
        topics=_groups([part.topics for part in windows], windows, score_bins, topic_names, 0),
        domains=_groups(
            [part.domains for part in windows], windows, score_bins, domain_names, groups_shown
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


class _ScoreBins(NamedTuple):
    """What a text adds to the index of the score, by its bin."""

    edges: Sequence[float]
    of_bin: NDArray[np.float64]
    of_text: float
    """Less this, whatever its bin."""
    has_baseline: bool
    """Whether the older window's texts count against it."""


def _groups(
    numbers: Sequence[NDArray[np.int64]],
    windows: _Halves,
    score_bins: _ScoreBins,
    names: Sequence[str],
    shown: int,
) -> Groups:
    """Groups by ``numbers``, of the recent window and the baseline; all where ``shown`` is 0."""
    verdicts, texts, flagged, score_parts = [], [], [], []
    for group, window in zip(numbers, windows, strict=True):
        size, first = len(names), _first_of_each_text(window)
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


def _first_of_each_text(columns: Columns) -> NDArray[np.bool_]:
    is_first = np.zeros(_rows(columns), bool)
    is_first[np.unique(columns.texts, return_index=True)[1]] = True
    return is_first


def _texts(windows: _Halves) -> _Halves:
    """The first verdict of each text, of either window."""
    recent, baseline = (window.rows(_first_of_each_text(window)) for window in windows)
    return recent, baseline


def _counts(columns: Columns) -> Counts:
    texts = int(_first_of_each_text(columns).sum())
    return Counts(_rows(columns), texts, int(columns.is_flagged.sum()))


def _first_at(columns: Columns) -> datetime:
    return datetime.fromtimestamp(float(columns.detected_at.min()), UTC)


def _rows(columns: Columns) -> int:
    return len(columns.detected_at)
