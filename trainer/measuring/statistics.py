"""Intervals: how far a figure can be trusted."""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap


class Interval(msgspec.Struct, frozen=True):
    """A figure with its interval: of 95%, unless the caller asked for another confidence."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """``0.897 (0.893 to 0.901)``, each number by ``spec``."""
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value of paired counts (McNemar 1947, doi:10.1007/BF02295996).

    ``gained`` and ``lost`` are the pairs that differ, in one direction and in the other.
    """
    return float(binomtest(lost, gained + lost).pvalue) if gained + lost else 1.0


def wilson(successes: int, trials: int) -> Interval:
    """A share and its 95% score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises:
        ValueError: no trials.
    """
    if trials <= 0:
        raise ValueError("a share of nothing")
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Interval(successes / trials, float(interval.low), float(interval.high))


def paired_bootstrap(
    statistic: Callable[[NDArray[np.float32], NDArray[np.int8]], float],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    labels: NDArray[np.int8],
    *,
    draws: int = 200,
    seed: int = 0,
) -> Interval:
    """``statistic`` of ``second`` minus that of ``first``, with its 95% percentile interval.

    Both models see the same draw of rows, drawn within each label (Efron and Tibshirani 1993).
    """

    def gain(malicious: NDArray[np.int64], benign: NDArray[np.int64]) -> float:
        rows = np.concatenate([malicious, benign])
        return statistic(second[rows], labels[rows]) - statistic(first[rows], labels[rows])

    by_label = [np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)]
    # A batch of one: all draws at once would take 1.6 GB for a million rows.
    interval = bootstrap(
        by_label,
        gain,
        n_resamples=draws,
        batch=1,
        vectorized=False,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return Interval(gain(*by_label), float(interval.low), float(interval.high))
