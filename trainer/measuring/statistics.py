"""Intervals: how far a figure can be trusted."""

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

__all__ = ["Interval", "mcnemar", "paired_bootstrap", "wilson"]

_Z = 1.959963984540054
"""Of the normal distribution, for 95%."""


class Interval(msgspec.Struct, frozen=True):
    """A figure with its interval: of 95%, but where another confidence was asked for."""

    value: float
    low: float
    high: float


def mcnemar(gained: int, lost: int) -> float:
    """How likely chance alone gives counts as unlike as these, of pairs that differ, or more so.

    Two-sided and exact (McNemar 1947, doi:10.1007/BF02295996).
    """
    return float(binomtest(lost, gained + lost).pvalue) if gained + lost else 1.0


def wilson(successes: int, trials: int) -> Interval:
    """A share and its 95% score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises:
        ValueError: no trials.
    """
    if trials <= 0:
        raise ValueError("a share of nothing")
    share = successes / trials
    weight = _Z * _Z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # At the ends the interval begins or ends there, but for rounding.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(share, low, high)


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
    rng = np.random.default_rng(seed)
    malicious, benign = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    differences = np.empty(draws)
    for draw in range(draws):
        rows = np.concatenate(
            [
                rng.choice(malicious, len(malicious)),
                rng.choice(benign, len(benign)),
            ]
        )
        differences[draw] = statistic(second[rows], labels[rows]) - statistic(
            first[rows], labels[rows]
        )
    low, high = np.quantile(differences, [0.025, 0.975])
    return Interval(
        float(statistic(second, labels) - statistic(first, labels)), float(low), float(high)
    )
