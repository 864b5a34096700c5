"""The figures of one model, and the differences between models, as they go into JSON."""

import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_detector.events import Kind, Thresholds
from stream_detector.privacy.urls import without_nested_credentials
from trainer.examples.datasets import Dataset
from trainer.examples.traffic import OTHER, TRAFFIC_TYPES, traffic_type
from trainer.generated.augmentation import TRANSFORMATIONS, transformed
from trainer.measuring.evaluation import (
    Detection,
    Scores,
    calibration_error,
    detection,
    is_measurable,
    roc_auc,
    share_flagged,
    threshold_at,
    true_positive_rate,
)
from trainer.measuring.statistics import Interval, paired_bootstrap

FALSE_POSITIVE_RATES = (1e-2, 1e-3, 1e-4)
BASE_RATES = (1e-3, 1e-4, 1e-5)
"""Shares of malicious events in traffic at which the report states the precision."""

COMPARED_RATE = 0.01
"""False-positive rate at which groups, transformations and models are compared."""
_BINS = 15
_LENGTHS = ((0, 20), (20, 40), (40, 80), (80, 160), (160, 1 << 20))
_MONTHS_MAX = 24
"""Rows that span more months are grouped by year, to keep the table short."""
_WORST = 15
_ROBUST_ROWS = 4000
_WARM_ROWS = 1024 + 256 + 32
"""A batch of each size that the scorer compiles, so that its speed excludes compilation."""


class Group(msgspec.Struct, frozen=True):
    """Rows that share a source, kind, length or period."""

    name: str
    malicious: int
    benign: int
    roc_auc: float | None
    """Its malicious rows against all benign ones."""
    tpr: Interval | None
    """At the false-positive rate of 1% over all benign rows; None where these are too few."""
    flagged: Interval | None
    """Share of its benign rows at or above that threshold; None if there are too few."""


class Traffic(msgspec.Struct, frozen=True):
    """Benign rows of one type of traffic."""

    name: str
    rule: str
    """The rule that assigns a row to it."""
    rows: int
    suspicious: Interval
    """Share at or above the model's threshold of that verdict."""
    malicious: Interval


class AtThreshold(msgspec.Struct, frozen=True):
    """The confusion matrix at one of the model's thresholds."""

    name: str
    threshold: float
    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int


class AtBaseRate(msgspec.Struct, frozen=True):
    """The precision of a threshold where malicious events are rare."""

    threshold: str
    base_rate: float
    precision: float | None
    false_alerts_per_million: float | None
    """Both None where no benign row was flagged: the rate is then unknown."""


class Difference(msgspec.Struct, frozen=True):
    """The figure of the second model minus that of the first, on the same rows."""

    first: str
    second: str
    statistic: str
    interval: Interval | None
    """None if there are too few benign rows for the statistic's false-positive rate."""


class Bin(msgspec.Struct, frozen=True):
    """One bin of the calibration curve."""

    score: float
    malicious_share: float
    rows: int


class Robustness(msgspec.Struct, frozen=True):
    """One transformation of malicious rows."""

    transformation: str
    rows: int
    tpr_before: float
    """Of the same rows, at the false-positive rate of 1%."""
    tpr_after: float

    @property
    def points_lost(self) -> float:
        """Percentage points of TPR."""
        return 100 * (self.tpr_before - self.tpr_after)


class Example(msgspec.Struct, frozen=True):
    """A row and its score."""

    text: str
    label: int
    score: float
    source: str
    kind: str


class Measured(msgspec.Struct, frozen=True):
    """One model on one set of rows."""

    name: str
    what: str
    """Architecture or family."""
    rows: int
    malicious: int
    accuracy: float
    """Of a verdict at a score of 0.5."""
    roc_auc: float
    average_precision: float
    detections: list[Detection]
    expected_calibration_error: float
    calibration: list[Bin]
    thresholds: list[AtThreshold]
    base_rates: list[AtBaseRate]
    traffic: list[Traffic]
    """Of benign rows, in the order of the rules; types without rows are left out."""
    groups: dict[str, list[Group]]
    """By ``source``, ``kind``, ``length``, and ``period`` where rows have times."""
    robustness: list[Robustness]
    worst_missed: list[Example]
    """Malicious rows below the threshold of suspicious, the lowest scores first."""
    worst_flagged: list[Example]
    """Benign rows at or above it, the highest scores first."""
    first_rows: list[Example]
    history: list[dict[str, float]]
    rows_per_second: float


class Candidate(NamedTuple):
    """A model, ready to measure."""

    name: str
    what: str
    score: Callable[[Sequence[str]], NDArray[np.float32]]
    """Calibrated probabilities of canonical texts."""
    thresholds: Thresholds
    history: Sequence[dict[str, float]] = ()


def measure_model(
    model: Candidate, rows: Dataset, *, kind: Kind, seed: int = 0
) -> tuple[Measured, Scores]:
    """Score ``rows`` and measure; also returns the scores (calibrated, shape ``[rows]``)."""
    score, thresholds = model.score, model.thresholds
    score(rows.texts[:_WARM_ROWS])  # Compiles, outside the measured time.
    started = time.perf_counter()
    scores = score(rows.texts)
    seconds = time.perf_counter() - started
    labels = rows.labels
    benign, malicious = scores[labels == 0], scores[labels == 1]
    at_thresholds = [
        _at_threshold("suspicious", thresholds.suspicious, benign, malicious),
        _at_threshold("malicious", thresholds.malicious, benign, malicious),
    ]
    measured = Measured(
        name=model.name,
        what=model.what,
        rows=len(labels),
        malicious=len(malicious),
        accuracy=float(np.mean((scores >= 0.5) == labels)),
        roc_auc=float(roc_auc_score(labels, scores)),
        average_precision=float(average_precision_score(labels, scores)),
        detections=[detection(benign, malicious, rate) for rate in FALSE_POSITIVE_RATES],
        expected_calibration_error=calibration_error(scores, labels),
        calibration=_calibration(scores, labels),
        thresholds=at_thresholds,
        base_rates=[_at_base_rate(at, rate) for at in at_thresholds for rate in BASE_RATES],
        traffic=_traffic(rows, scores, kind, thresholds),
        groups=_groups(rows, scores),
        robustness=_robustness(score, rows, scores, kind, seed),
        worst_missed=_errors(rows, scores, 1, thresholds.suspicious),
        worst_flagged=_errors(rows, scores, 0, thresholds.suspicious),
        first_rows=[_example(rows, scores, row) for row in range(min(_WORST, len(labels)))],
        history=list(model.history),
        rows_per_second=len(labels) / max(seconds, 1e-9),
    )
    return measured, scores


def difference(
    first: tuple[str, Scores], second: tuple[str, Scores], labels: NDArray[np.int8]
) -> list[Difference]:
    """ROC AUC and TPR at 1% of the second model over the first, by a paired bootstrap."""
    statistics: dict[str, Callable[[Scores, NDArray[np.int8]], float]] = {
        "ROC AUC": lambda scores, of: float(roc_auc_score(of, scores)),
        "TPR at FPR 1%": lambda scores, of: true_positive_rate(scores, of, COMPARED_RATE),
    }
    intervals = {
        name: paired_bootstrap(statistic, first[1], second[1], labels)
        for name, statistic in statistics.items()
        if name == "ROC AUC" or is_measurable(COMPARED_RATE, int(np.sum(labels == 0)))
    }
    return [Difference(first[0], second[0], name, intervals.get(name)) for name in statistics]


def _at_threshold(name: str, threshold: float, benign: Scores, malicious: Scores) -> AtThreshold:
    found, flagged = int(np.sum(malicious >= threshold)), int(np.sum(benign >= threshold))
    return AtThreshold(
        name, threshold, found, len(malicious) - found, flagged, len(benign) - flagged
    )


def _at_base_rate(at: AtThreshold, base_rate: float) -> AtBaseRate:
    if not at.false_positives:
        return AtBaseRate(at.name, base_rate, None, None)
    tpr = at.true_positives / (at.true_positives + at.false_negatives)
    fpr = at.false_positives / (at.false_positives + at.true_negatives)
    found, flagged = tpr * base_rate, fpr * (1 - base_rate)
    return AtBaseRate(at.name, base_rate, found / (found + flagged), flagged * 1e6)


def _calibration(scores: Scores, labels: NDArray[np.int8]) -> list[Bin]:
    """Bins of equal width, as the eye expects them; empty ones left out."""
    places = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return [
        Bin(float(np.mean(scores[inside])), float(np.mean(labels[inside])), int(np.sum(inside)))
        for place in range(_BINS)
        if (inside := places == place).any()
    ]


def _traffic(rows: Dataset, scores: Scores, kind: Kind, thresholds: Thresholds) -> list[Traffic]:
    benign = np.flatnonzero(rows.labels == 0)
    types = np.array([traffic_type(rows.texts[row], kind) for row in benign])
    rules = [(one.name, one.rule) for one in TRAFFIC_TYPES[kind]]
    of_type = {name: scores[benign[types == name]] for name in {*types.tolist()}}
    return [
        Traffic(
            name,
            rule,
            len(inside),
            share_flagged(inside, thresholds.suspicious),
            share_flagged(inside, thresholds.malicious),
        )
        for name, rule in [*rules, (OTHER[kind], "none of these")]
        if (inside := of_type.get(name)) is not None
    ]


def _groups(rows: Dataset, scores: Scores) -> dict[str, list[Group]]:
    lengths = np.array([_length_name(len(text)) for text in rows.texts])
    names = [_length_name(low) for low, _ in _LENGTHS]
    columns = {
        "source": (rows.sources, sorted(set(rows.sources.tolist()) - {""})),
        "kind": (rows.kinds, sorted(set(rows.kinds.tolist()) - {""})),
        "length": (lengths, [name for name in names if name in set(lengths.tolist())]),
    }
    if rows.times is not None:
        periods = _periods(rows.times)
        columns["period"] = (periods, sorted(set(periods.tolist()) - {""}))
    return {
        name: [_group(value, column == value, rows.labels, scores) for value in values]
        for name, (column, values) in columns.items()
        if values
    }


def _periods(times: NDArray[np.float64]) -> NDArray[np.str_]:
    """The month of each time, as ``2026-03``, or the year if they span many; "" for NaN."""
    known = ~np.isnan(times)
    months = np.where(known, times, 0).astype("datetime64[s]").astype("datetime64[M]")
    of_known = months[known]
    span = int((of_known.max() - of_known.min()).astype(int)) + 1 if len(of_known) else 0
    periods = months if span <= _MONTHS_MAX else months.astype("datetime64[Y]")
    named: NDArray[np.str_] = np.where(known, periods.astype(np.str_), "")
    return named


def _group(name: str, inside: NDArray[np.bool_], labels: NDArray[np.int8], scores: Scores) -> Group:
    benign = scores[labels == 0]
    threshold = threshold_at(benign, COMPARED_RATE)
    enough = is_measurable(COMPARED_RATE, len(benign))
    of_malicious, of_benign = scores[inside & (labels == 1)], scores[inside & (labels == 0)]
    return Group(
        name=name,
        malicious=len(of_malicious),
        benign=len(of_benign),
        roc_auc=roc_auc(of_malicious, benign) if len(of_malicious) else None,
        tpr=share_flagged(of_malicious, threshold) if enough and len(of_malicious) else None,
        flagged=share_flagged(of_benign, threshold) if enough and len(of_benign) else None,
    )


def _length_name(length: int) -> str:
    low, high = next((low, high) for low, high in _LENGTHS if low <= length < high)
    return f"{low} to {high - 1} characters" if high < 1 << 20 else f"{low} characters and more"


def _robustness(
    score: Callable[[Sequence[str]], Scores], rows: Dataset, scores: Scores, kind: Kind, seed: int
) -> list[Robustness]:
    rng = random.Random(seed)  # noqa: S311 - draws rows, guards nothing
    threshold = threshold_at(scores[rows.labels == 0], COMPARED_RATE)
    malicious = np.flatnonzero(rows.labels == 1).tolist()
    chosen = rng.sample(malicious, min(_ROBUST_ROWS, len(malicious)))
    results = []
    for name in TRANSFORMATIONS:
        changed = [(row, transformed(name, rows.texts[row], kind, rng)) for row in chosen]
        applied = [(row, text) for row, text in changed if text is not None]
        if applied:
            before = scores[[row for row, _ in applied]]
            after = score([text for _, text in applied])
            results.append(
                Robustness(
                    name,
                    len(applied),
                    float(np.mean(before >= threshold)),
                    float(np.mean(after >= threshold)),
                )
            )
    return results


def _errors(rows: Dataset, scores: Scores, label: int, threshold: float) -> list[Example]:
    """Rows of ``label`` on the wrong side of ``threshold``, the farthest from it first."""
    inside = np.flatnonzero((rows.labels == label) & ((scores >= threshold) != bool(label)))
    farthest = scores[inside] if label else -scores[inside]
    ranked = inside[np.argsort(farthest, kind="stable")][:_WORST]
    return [_example(rows, scores, int(row)) for row in ranked]


def _example(rows: Dataset, scores: Scores, row: int) -> Example:
    return Example(
        without_nested_credentials(rows.texts[row]),  # Reports are passed on.
        int(rows.labels[row]),
        float(scores[row]),
        str(rows.sources[row]),
        str(rows.kinds[row]),
    )
