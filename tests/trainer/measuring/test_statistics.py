import numpy as np
import pytest

from trainer.measuring.evaluation import true_positive_rate
from trainer.measuring.statistics import paired_bootstrap, wilson


def test_wilson_is_the_published_interval():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    interval = wilson(81, 263)
    assert interval.value == pytest.approx(81 / 263)
    assert (interval.low, interval.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_stays_within_0_and_1():
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == 1.0
    assert wilson(0, 10).high == pytest.approx(0.2775, abs=5e-5)
    with pytest.raises(ValueError, match="nothing"):
        wilson(0, 0)


def test_the_bootstrap_sees_a_difference_and_none():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 500).astype(np.int8)
    weak = (rng.normal(size=1000) + labels).astype(np.float32)
    strong = (rng.normal(size=1000) + 3 * labels).astype(np.float32)

    def tpr(scores, of):
        return true_positive_rate(scores, of, 0.1)

    better = paired_bootstrap(tpr, weak, strong, labels)
    assert 0 < better.low < better.value < better.high
    same = paired_bootstrap(tpr, weak, weak, labels)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
