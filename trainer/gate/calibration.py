"""Rules on probabilities and thresholds: whether they hold on rows that set neither."""

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.manifest import Manifest
from trainer.gate.decision import Check
from trainer.gate.options import GateOptions
from trainer.measuring.evaluation import calibration_error
from trainer.measuring.statistics import wilson

_RATE_TIMES = 2.0
"""Above this multiple of the rate that a threshold was set for, the check fails. A smaller multiple
may be chance: of 10,000 benign rows only 10 lie above a threshold for 0.1%."""


def check_calibration(
    challenger: NDArray[np.float32],
    champion: NDArray[np.float32] | None,
    labels: NDArray[np.int8],
    options: GateOptions,
) -> Check:
    """Expected calibration error, against the champion's."""
    ours = calibration_error(challenger, labels)
    said = f"its expected calibration error is {ours:.4f}"
    if champion is None:
        said += "; there is no champion to compare with"
        return Check("calibration", True, said, {"challenger": ours})
    theirs = calibration_error(champion, labels)
    passed = ours <= theirs + options.calibration_margin
    said += (
        f", the champion's {theirs:.4f}: {'not ' if passed else ''}above it by more than "
        f"{options.calibration_margin:g}"
    )
    return Check("calibration", passed, said, {"challenger": ours, "champion": theirs})


def check_thresholds(
    manifest: Manifest, scores: NDArray[np.float32], labels: NDArray[np.int8]
) -> list[Check]:
    """Whether the thresholds still flag about the share of benign rows they were set for."""
    benign = scores[labels == 0]
    if not len(benign):
        return []  # The rule of detection refuses for it.
    checks = []
    for name in ("suspicious", "malicious"):
        point = getattr(manifest.thresholds, name)
        flagged = wilson(int(np.sum(benign >= point.threshold)), len(benign))
        limit = _RATE_TIMES * point.false_positive_rate
        # The lower end: a small hold-out must prove the excess before it refuses a model.
        passed = flagged.low <= limit
        message = (
            f"set for {point.false_positive_rate:.2%}, it flags {flagged.value:.3%} of "
            f"{len(benign):,} benign rows, at least {flagged.low:.3%} but for chance: "
            f"{'not ' if passed else ''}above {limit:.2%}"
        )
        figures = {
            "set_for": point.false_positive_rate,
            "flagged": flagged.value,
            "low": flagged.low,
            "high": flagged.high,
            "benign": len(benign),
        }
        checks.append(Check(f"{name} threshold", passed, message, figures))
    return checks
