"""From logits to probabilities: Platt scaling.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. Two numbers in the manifest,
monotone, and smooth in the far tail where a false-positive rate of 0.1% lies and isotonic
regression would give ties.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray


class Platt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probability = sigmoid(slope * logit + intercept)."""

    slope: float
    intercept: float

    def apply(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, same shape."""
        # float64, as the calibration was fitted and its thresholds were measured.
        z = self.slope * logits.astype(np.float64) + self.intercept
        # Only exp of negative numbers: neither branch overflows, however large the logit.
        small = np.exp(-np.abs(z))
        result: NDArray[np.float32] = np.where(z >= 0, 1 / (1 + small), small / (1 + small)).astype(
            np.float32
        )
        return result
