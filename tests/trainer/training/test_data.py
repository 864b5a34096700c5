import numpy as np
import pytest

from trainer.examples.datasets import Dataset
from trainer.training.data import malicious_weight, resampled

LABELS = np.array([0] * 90 + [1] * 10, dtype=np.int8)
NAMES = np.array([f"s{number}" for number in range(100)])
TRAIN = Dataset([f"{n}.example" for n in range(100)], LABELS, NAMES, NAMES, NAMES, {})


@pytest.mark.parametrize(("how", "rows"), [("truncate", 20), ("oversample", 180)])
def test_labels_become_equal_and_rows_keep_what_is_theirs(how, rows):
    balanced = resampled(TRAIN, how, seed=1)
    assert np.bincount(balanced.labels).tolist() == [rows // 2, rows // 2]
    for text, label, source in zip(balanced.texts, balanced.labels, balanced.sources, strict=True):
        number = int(text.partition(".")[0])
        assert (label, source) == (LABELS[number], f"s{number}")
    assert balanced.texts == resampled(TRAIN, how, seed=1).texts
    assert balanced.texts != resampled(TRAIN, how, seed=2).texts


@pytest.mark.parametrize(("how", "weight"), [("none", 1.0), ("class_weight", 9.0)])
def test_weights_do_not_change_the_rows(how, weight):
    assert resampled(TRAIN, how, seed=1) is TRAIN
    assert malicious_weight(90, 10, how) == weight
