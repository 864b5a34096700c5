"""How good scores are: ROC AUC, average precision, detection at fixed false-positive rates."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.examples.datasets import Dataset

__all__ = [
    "FALSE_POSITIVES_MIN",
    "Figures",
    "calibration_error",
    "measure",
    "threshold_at",
    "true_positive_rate",
]

Figures = dict[str, float | dict[str, dict[str, float]]]
"""Figures by name; those of groups under ``by_kind`` and ``by_source``, by the group's name."""

FALSE_POSITIVE_RATES = (0.01, 0.001)

FALSE_POSITIVES_MIN = 10
"""A rate needs so many expected false positives, or chance sets the threshold."""

_CALIBRATION_BINS = 15


def threshold_at(benign_scores: NDArray[np.float32], false_positive_rate: float) -> float:
    """Lowest threshold at or above which at most that share of benign scores lies."""
    ordered = np.sort(benign_scores)
    allowed = int(false_positive_rate * len(ordered))
    return float(np.nextafter(ordered[len(ordered) - allowed - 1], np.float32(np.inf)))


def true_positive_rate(
    scores: NDArray[np.float32], labels: NDArray[np.int8], false_positive_rate: float
) -> float:
    """Share of malicious rows found where that share of benign ones is flagged (TPR at FPR)."""
    threshold = threshold_at(scores[labels == 0], false_positive_rate)
    return float(np.mean(scores[labels == 1] >= threshold))


def measure(dataset: Dataset, scores: NDArray[np.float32]) -> Figures:
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


def _against(malicious: NDArray[np.float32], benign: NDArray[np.float32]) -> Mapping[str, float]:
    labels = np.concatenate([np.ones(len(malicious)), np.zeros(len(benign))]).astype(np.int8)
    scores = np.concatenate([malicious, benign])
    return {
        "roc_auc": round(float(roc_auc_score(labels, scores)), 4),
        **{
            f"tpr_at_fpr_{rate:g}": round(true_positive_rate(scores, labels, rate), 4)
            for rate in FALSE_POSITIVE_RATES
        },
    }


def calibration_error(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
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
