"""The rule on detection: the challenger finds as much as the champion at each rate served."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.terminal.progress import Progress
from trainer.gate.decision import Check
from trainer.gate.options import GateOptions
from trainer.measuring.evaluation import FALSE_POSITIVES_MIN, true_positive_rate
from trainer.measuring.statistics import Interval

_SHOWN_EVERY = 25
"""Draws between two updates of the progress."""

Scores = NDArray[np.float32]


def check_detection(
    challenger: Scores,
    champion: Scores | None,
    labels: NDArray[np.int8],
    rates: Sequence[float],
    options: GateOptions,
    *,
    seed: int,
    progress: Progress,
) -> list[Check]:
    """A check for each false-positive rate; refused where none of them can be measured.

    Both models see the same draws of the hold-out, since they are right and wrong on the same
    rows: two intervals of their own would still overlap when one model is clearly worse.
    """
    malicious, benign = int(np.sum(labels == 1)), int(np.sum(labels == 0))
    measurable = [rate for rate in rates if malicious and benign * rate >= FALSE_POSITIVES_MIN]
    if not measurable:
        # Refused rather than passed: else a hold-out that measures nothing would publish anything.
        needed = round(FALSE_POSITIVES_MIN / max(rates))
        message = (
            f"the hold-out's {benign:,} benign and {malicious:,} malicious rows measure no "
            f"false-positive rate that is served: give {needed:,} benign rows or more, and "
            "malicious ones"
        )
        figures = {"benign": benign, "malicious": malicious, "benign_needed": needed}
        return [Check("detection", False, message, figures)]
    if champion is None:
        found = {rate: true_positive_rate(challenger, labels, rate) for rate in measurable}
        return [
            Check(
                _name(rate),
                True,
                f"it finds {tpr:.2%} at a false-positive rate of {rate:.2%}; there is no champion "
                "to compare with",
                {"false_positive_rate": rate, "challenger": tpr},
            )
            for rate, tpr in found.items()
        ]
    intervals = tpr_differences(
        champion, challenger, labels, measurable, options=options, seed=seed, progress=progress
    )
    compared = dict(zip(measurable, intervals, strict=True))
    return [
        _compared(challenger, champion, labels, rate, compared[rate], options)
        if rate in compared
        else _too_few(rate, benign)
        for rate in rates
    ]


def _compared(
    challenger: Scores,
    champion: Scores,
    labels: NDArray[np.int8],
    rate: float,
    difference: Interval,
    options: GateOptions,
) -> Check:
    # The lower end, not the value: a model that may be worse than the margin has to prove that it
    # is not, on a hold-out that is large enough.
    passed = difference.low >= -options.margin
    ours, theirs = (true_positive_rate(one, labels, rate) for one in (challenger, champion))
    points = [100 * one for one in (difference.value, difference.low, difference.high)]
    message = (
        f"at a false-positive rate of {rate:.2%} it finds {ours:.2%}, the champion {theirs:.2%}: "
        f"{points[0]:+.2f} points, {options.confidence:.0%} interval {points[1]:+.2f} to "
        f"{points[2]:+.2f}, whose lower end is {'not ' if passed else ''}below "
        f"{-100 * options.margin:+.2f}"
    )
    figures = {
        "false_positive_rate": rate,
        "challenger": ours,
        "champion": theirs,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }
    return Check(_name(rate), passed, message, figures)


def _too_few(rate: float, benign: int) -> Check:
    needed = round(FALSE_POSITIVES_MIN / rate)
    message = (
        f"the hold-out's {benign:,} benign rows are too few for a false-positive rate of "
        f"{rate:.2%}, it takes {needed:,}"
    )
    figures = {"false_positive_rate": rate, "benign": benign, "benign_needed": needed}
    return Check(_name(rate), True, message, figures, measured=False)


def _name(rate: float) -> str:
    return f"detection at {100 * rate:.4g}%"


def tpr_differences(
    first: Scores,
    second: Scores,
    labels: NDArray[np.int8],
    rates: Sequence[float],
    *,
    options: GateOptions,
    seed: int,
    progress: Progress,
) -> list[Interval]:
    """TPR of ``second`` minus that of ``first`` at each rate, with its percentile interval.

    The paired bootstrap of ``trainer.measuring.statistics`` for this one statistic, without a
    sort a draw: what a draw takes is how often it has each row, and the order of the rows never
    changes. Both models and all rates see the same draws; each draw sets its own thresholds.
    """
    rng = np.random.default_rng(seed)
    models = [_Ranked(scores, labels, rates) for scores in (first, second)]
    benign, malicious = models[0].benign, models[0].malicious
    differences = np.empty((options.resamples, len(rates)))
    with progress.stage("paired bootstrap, resamples", options.resamples) as stage:
        for draw in range(options.resamples):
            drawn = [
                np.bincount(rng.integers(rows, size=rows), minlength=rows)
                for rows in (benign, malicious)
            ]
            of_first, of_second = (model.tprs(*drawn) for model in models)
            differences[draw] = of_second - of_first
            if (draw + 1) % _SHOWN_EVERY == 0:
                stage.update(draw + 1)
    # Percentiles of the draws: no assumption on how the differences are distributed.
    outside = (1 - options.confidence) / 2
    lows, highs = np.quantile(differences, [outside, 1 - outside], axis=0).tolist()
    return [
        Interval(
            true_positive_rate(second, labels, rate) - true_positive_rate(first, labels, rate),
            low,
            high,
        )
        for rate, low, high in zip(rates, lows, highs, strict=True)
    ]


class _Ranked:
    """One model's scores in descending order, ready to be drawn from."""

    def __init__(self, scores: Scores, labels: NDArray[np.int8], rates: Sequence[float]) -> None:
        of_benign, of_malicious = scores[labels == 0], scores[labels == 1]
        self.benign, self.malicious = len(of_benign), len(of_malicious)
        self._benign_order = np.argsort(-of_benign, kind="stable")
        self._malicious_order = np.argsort(-of_malicious, kind="stable")
        # For each benign rank: how many malicious rows lie above that score.
        self._above = np.searchsorted(
            -of_malicious[self._malicious_order], -of_benign[self._benign_order], side="left"
        )
        self._allowed = np.array([int(rate * self.benign) for rate in rates])

    def tprs(
        self, drawn_benign: NDArray[np.int64], drawn_malicious: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """TPR at each rate in a draw that has each row as often as given."""
        flagged = np.cumsum(drawn_benign[self._benign_order])
        # The benign row drawn just beyond the allowed ones sets the threshold: above its score.
        ranks = np.searchsorted(flagged, self._allowed, side="right")
        found = np.concatenate([[0], np.cumsum(drawn_malicious[self._malicious_order])])
        tprs: NDArray[np.float64] = found[self._above[ranks]] / self.malicious
        return tprs
