"""Platt scaling: probabilities that are the frequencies seen."""

import numpy as np

from stream_detector.models.calibration import Platt
from trainer.measuring.evaluation import fit_platt


def test_it_finds_the_curve_that_made_the_labels():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 20_000).astype(np.float32)
    labels = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-(1.7 * logits - 0.6)))).astype(np.int8)
    fitted = fit_platt(logits, labels)
    assert abs(fitted.slope - 1.7) < 0.1
    assert abs(fitted.intercept + 0.6) < 0.1


def test_it_keeps_the_order_and_the_bounds_however_large_the_logit():
    logits = np.array([-1e30, -50, -1, 0, 1, 50, 1e30], dtype=np.float32)
    with np.errstate(all="raise", under="ignore"):
        scores = Platt(slope=2.0, intercept=0.5).apply(logits)
    assert scores.dtype == np.float32
    assert np.all(np.diff(scores) >= 0)
    assert scores[0] == 0.0
    assert scores[-1] == 1.0
