"""Fits the calibration of a bundle: ``models.calibration`` says what it is."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from stream_detector.models.calibration import Platt


def fit_platt(logits: NDArray[np.float32], labels: NDArray[np.integer]) -> Platt:
    """Fit on held-out rows; ``labels`` 1 for malicious. Both shape ``[rows]``."""
    # C=inf: without a penalty, which would pull the slope towards 0 and the scores to the middle.
    model = LogisticRegression(C=np.inf).fit(logits.reshape(-1, 1).astype(np.float64), labels)
    return Platt(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]))
