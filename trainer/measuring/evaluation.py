"""How good scores are: ROC AUC, average precision, detection at fixed false-positive rates."""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from stream_detector.events import Thresholds
from stream_detector.models.calibration import Platt
from trainer.examples.datasets import Dataset
from trainer.measuring.statistics import Interval, wilson

Scores = NDArray[np.float32]

Figures = dict[str, float | dict[str, dict[str, float]]]
"""Figures by name; those of groups under ``by_kind`` and ``by_source``, by the group's name."""

VERDICT_FPRS = (0.01, 0.001)
"""False-positive rates at which the thresholds of suspicious and malicious are set."""

FALSE_POSITIVES_MIN = 10
"""With fewer expected false positives, chance sets the threshold of a rate."""

TOO_FEW = "too few benign rows"
_CALIBRATION_BINS = 15


class Detection(msgspec.Struct, frozen=True):
    """The share of malicious rows found at a false-positive rate."""

    false_positive_rate: float
    threshold: float
    tpr: Interval
    benign_rows: int
    enough: bool
    """False where too few benign rows set the threshold."""

    def __str__(self) -> str:
        return f"{self.tpr:.3f}" if self.enough else TOO_FEW


def detection(benign: Scores, malicious: Scores, rate: float) -> Detection:
    """How many malicious rows are found where the share ``rate`` of benign ones is flagged."""
    threshold = threshold_at(benign, rate)
    return Detection(
        false_positive_rate=rate,
        threshold=threshold,
        tpr=share_flagged(malicious, threshold),
        benign_rows=len(benign),
        enough=is_measurable(rate, len(benign)),
    )


def is_measurable(false_positive_rate: float, benign_rows: int) -> bool:
    """Whether so many benign rows set a threshold at that rate, and not chance."""
    return benign_rows * false_positive_rate >= FALSE_POSITIVES_MIN


def share_flagged(scores: Scores, threshold: float) -> Interval:
    """The share of ``scores`` at or above ``threshold``, with its interval.

    Raises:
        ValueError: there are no scores.
    """
    return wilson(int(np.sum(scores >= threshold)), len(scores))


def roc_auc(malicious: Scores, benign: Scores) -> float:
    """How often a malicious row scores above a benign one."""
    labels = np.repeat([1, 0], [len(malicious), len(benign)])
    return float(roc_auc_score(labels, np.concatenate([malicious, benign])))


def threshold_at(benign_scores: Scores, false_positive_rate: float) -> float:
    """The lowest threshold that at most that share of benign scores reaches."""
    ordered = np.sort(benign_scores)
    allowed = int(false_positive_rate * len(ordered))
    return float(np.nextafter(ordered[len(ordered) - allowed - 1], np.float32(np.inf)))


def verdict_thresholds(benign: Scores) -> Thresholds:
    """The thresholds of suspicious and malicious that ``benign`` scores set."""
    # A benign score of 1.0, which float32 rounds to, would push a threshold out of reach.
    return Thresholds(*(min(1.0, threshold_at(benign, rate)) for rate in VERDICT_FPRS))


def true_positive_rate(
    scores: Scores, labels: NDArray[np.int8], false_positive_rate: float
) -> float:
    """Share of malicious rows found where that share of benign ones is flagged (TPR at FPR)."""
    threshold = threshold_at(scores[labels == 0], false_positive_rate)
    return float(np.mean(scores[labels == 1] >= threshold))


def measure(dataset: Dataset, scores: Scores) -> Figures:
    """All figures of ``scores`` (calibrated, shape ``[rows]``) on ``dataset``.

    Overall ones by name; ``by_kind`` and ``by_source`` hold each malicious kind or source
    against all benign rows, and for benign sources the share flagged at 1% overall.
    """
    benign = dataset.labels == 0
    figures: Figures = {
        "rows": float(len(scores)),
        "malicious": float(np.sum(~benign)),
        **_against(scores[~benign], scores[benign]),
        "average_precision": round(float(average_precision_score(dataset.labels, scores)), 4),
        "expected_calibration_error": round(calibration_error(scores, dataset.labels), 4),
    }
    suspicious = threshold_at(scores[benign], 0.01)
    for name, column in (("by_kind", dataset.kinds), ("by_source", dataset.sources)):
        groups: dict[str, dict[str, float]] = {}
        for value in sorted(set(column.tolist()) - {""}):
            inside = column == value
            of_malicious, of_benign = scores[inside & ~benign], scores[inside & benign]
            if len(of_malicious):
                groups[value] = {
                    "malicious": float(len(of_malicious)),
                    **_against(of_malicious, scores[benign]),
                }
            elif name == "by_source" and len(of_benign):
                groups[value] = {
                    "benign": float(len(of_benign)),
                    "flagged": round(float(np.mean(of_benign >= suspicious)), 4),
                }
        if groups:
            figures[name] = groups
    return figures


def _against(malicious: Scores, benign: Scores) -> Mapping[str, float]:
    found = {
        f"tpr_at_fpr_{rate:g}": float(np.mean(malicious >= threshold_at(benign, rate)))
        for rate in VERDICT_FPRS
    }
    figures = {"roc_auc": roc_auc(malicious, benign), **found}
    return {name: round(figure, 4) for name, figure in figures.items()}


def calibration_error(scores: Scores, labels: NDArray[np.int8]) -> float:
    """Expected calibration error over equally filled bins (Naeini et al. 2015)."""
    order = np.argsort(scores, kind="stable")
    return float(
        sum(
            abs(float(np.mean(scores[bin_])) - float(np.mean(labels[bin_]))) * len(bin_)
            for bin_ in np.array_split(order, _CALIBRATION_BINS)
            if len(bin_)
        )
        / max(1, len(scores))
    )


def fit_platt(logits: NDArray[np.float32], labels: NDArray[np.integer]) -> Platt:
    """Fit a calibration on held-out rows; ``labels`` 1 for malicious. Both shape ``[rows]``."""
    # C=inf: without a penalty, which would pull the slope towards 0 and the scores to the middle.
    model = LogisticRegression(C=np.inf).fit(logits.reshape(-1, 1).astype(np.float64), labels)
    return Platt(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]))
