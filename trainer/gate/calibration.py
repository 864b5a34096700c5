"""Whether the challenger's probabilities and thresholds hold on rows that set neither."""

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.manifest import Manifest
from trainer.gate.decision import Check
from trainer.gate.rules import GateRules
from trainer.measuring.evaluation import calibration_error
from trainer.measuring.statistics import wilson

_RATE_TIMES = 2.0
"""Above this multiple of the rate that a threshold was set for, the check fails. Less may be
chance, as few benign rows lie above a threshold."""


def check_calibration(
    challenger: NDArray[np.float32],
    champion: NDArray[np.float32] | None,
    labels: NDArray[np.int8],
    rules: GateRules,
) -> Check:
    """Expected calibration error, against the champion's."""
    ours = calibration_error(challenger, labels)
    if champion is None:
        return Check(
            "calibration",
            True,
            f"its expected calibration error is {ours:.4f}; there is no champion to compare with",
            {"challenger": ours},
        )
    theirs = calibration_error(champion, labels)
    passed = ours <= theirs + rules.calibration_margin
    return Check(
        "calibration",
        passed,
        f"its expected calibration error is {ours:.4f}, the champion's {theirs:.4f}: "
        f"{'not ' if passed else ''}above it by more than {rules.calibration_margin:g}",
        {"challenger": ours, "champion": theirs},
    )


def check_thresholds(
    manifest: Manifest, scores: NDArray[np.float32], labels: NDArray[np.int8]
) -> list[Check]:
    """Whether the thresholds still flag about the share of benign rows they were set for."""
    benign = scores[labels == 0]
    if not len(benign):
        return []  # The check of detection refuses for it.
    checks = []
    for name in ("suspicious", "malicious"):
        point = getattr(manifest.thresholds, name)
        flagged = wilson(int(np.sum(benign >= point.threshold)), len(benign))
        limit = _RATE_TIMES * point.false_positive_rate
        passed = flagged.low <= limit
        checks.append(
            Check(
                f"{name} threshold",
                passed,
                f"set for {point.false_positive_rate:.2%}, it flags {flagged.value:.3%} of "
                f"{len(benign):,} benign rows, at least {flagged.low:.3%} but for chance: "
                f"{'not ' if passed else ''}above {limit:.2%}",
                {
                    "set_for": point.false_positive_rate,
                    "flagged": flagged.value,
                    "low": flagged.low,
                    "high": flagged.high,
                    "benign": len(benign),
                },
            )
        )
    return checks
