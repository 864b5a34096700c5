"""What one model has over another, both on the same rows."""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from trainer.measuring.evaluation import Scores, is_measurable, true_positive_rate
from trainer.measuring.statistics import Interval, paired_bootstrap
from trainer.report.figures import COMPARED_RATE

__all__ = ["Difference", "difference"]


class Difference(msgspec.Struct, frozen=True):
    """What the second model has over the first, both on the same rows."""

    first: str
    second: str
    statistic: str
    interval: Interval | None
    """None where there are too few benign rows for the statistic's false-positive rate."""


def difference(
    first: tuple[str, Scores], second: tuple[str, Scores], labels: NDArray[np.int8]
) -> list[Difference]:
    """ROC AUC and TPR at 1% of the second model over the first, by a paired bootstrap."""
    statistics: dict[str, Callable[[Scores, NDArray[np.int8]], float] | None] = {
        "ROC AUC": lambda scores, of: float(roc_auc_score(of, scores)),
        "TPR at FPR 1%": (lambda scores, of: true_positive_rate(scores, of, COMPARED_RATE))
        if is_measurable(COMPARED_RATE, int(np.sum(labels == 0)))
        else None,
    }
    return [
        Difference(
            first[0],
            second[0],
            name,
            None if statistic is None else paired_bootstrap(statistic, first[1], second[1], labels),
        )
        for name, statistic in statistics.items()
    ]
