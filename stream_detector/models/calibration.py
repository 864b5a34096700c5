"""From logits to probabilities: Platt scaling.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. Two numbers in the manifest,
monotone, and smooth in the far tail where a false-positive rate of 0.1% lies and isotonic
regression would give ties.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Platt", "fit_platt"]


class Platt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probability = sigmoid(slope * logit + intercept)."""

    slope: float
    intercept: float

    def apply(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, same shape."""
        z = self.slope * logits.astype(np.float64) + self.intercept
        # Written so that neither branch overflows.
        small = np.exp(-np.abs(z))
        result: NDArray[np.float32] = np.where(z >= 0, 1 / (1 + small), small / (1 + small)).astype(
            np.float32
        )
        return result


def fit_platt(logits: NDArray[np.float32], labels: NDArray[np.integer]) -> Platt:
    """Fit on held-out rows; ``labels`` 1 for malicious. Both shape ``[rows]``."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - not for serving

    model = LogisticRegression(C=np.inf).fit(logits.reshape(-1, 1).astype(np.float64), labels)
    return Platt(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]))
