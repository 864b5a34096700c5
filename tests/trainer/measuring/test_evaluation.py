"""Figures against cases small enough to count by hand."""

import numpy as np
import pytest

from trainer.examples.datasets import Dataset
from trainer.measuring.evaluation import measure, threshold_at, true_positive_rate


def floats(*values):
    return np.array(values, dtype=np.float32)


def test_at_most_the_share_passes_the_threshold():
    benign = np.arange(100, dtype=np.float32) / 100
    for rate, passing in ((0.0, 0), (0.01, 1), (0.05, 5), (0.055, 5)):
        assert np.sum(benign >= threshold_at(benign, rate)) == passing


def test_scores_tied_at_the_threshold_stay_below_it():
    benign = floats(0.1, *[0.5] * 9)
    assert np.sum(benign >= threshold_at(benign, 0.3)) == 0


def test_the_rate_of_true_positives_is_counted_at_that_threshold():
    scores = floats(*np.arange(100) / 100, 0.98, 0.985, 0.995, 0.2)
    labels = np.array([0] * 100 + [1] * 4, dtype=np.int8)
    assert true_positive_rate(scores, labels, 0.01) == pytest.approx(0.5)
    assert true_positive_rate(scores, labels, 0.0) == pytest.approx(0.25)


def test_figures_are_given_overall_by_kind_and_by_source():
    dataset = Dataset(
        texts=["t"] * 6,
        labels=np.array([0, 0, 0, 1, 1, 1], dtype=np.int8),
        parts=np.array(["test"] * 6),
        sources=np.array(["web", "web", "shops", "feed", "feed", "list"]),
        kinds=np.array(["ben", "ben", "ben", "phish", "dga", "dga"]),
        counts={},
    )
    figures = measure(dataset, floats(0.1, 0.2, 0.6, 0.9, 0.8, 0.4))
    assert figures["rows"] == 6
    assert figures["malicious"] == 3
    assert figures["roc_auc"] == pytest.approx(8 / 9, abs=1e-4)
    assert figures["tpr_at_fpr_0.01"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["by_kind"]["phish"]["roc_auc"] == 1.0
    assert figures["by_kind"]["dga"]["roc_auc"] == pytest.approx(5 / 6, abs=1e-4)
    assert figures["by_source"]["list"]["tpr_at_fpr_0.01"] == 0.0
    assert figures["by_source"]["shops"] == {"benign": 1.0, "flagged": 0.0}
