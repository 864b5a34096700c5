"""Every family learns a plain rule, and those of anomalies do so from benign rows alone."""

import functools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from stream_detector.terminal.progress import Progress
from support.examples import rule
from trainer.families import FAMILY_NAMES, NETWORK_NAMES
from trainer.families.known import families

pytestmark = pytest.mark.slow

TRAIN, VALIDATION, TEST = rule(1200, 1), rule(300, 2), rule(300, 3)
FAMILIES = families(length_max=24, epochs=2)
OTHERS = [name for name in FAMILY_NAMES if name not in NETWORK_NAMES]


class Told(Progress):
    def __init__(self):
        self.lines = []

    def tell(self, line):
        self.lines.append(line)


def fit(name, train=TRAIN):
    told = Told()
    fitted = FAMILIES[name].fit(train, VALIDATION, seed=1, progress=told)
    assert all(line.startswith(name) for line in told.lines)
    assert told.lines
    return fitted.scores(TEST.texts)


@functools.cache
def fit_once(name):
    return fit(name)


def test_the_names_are_those_of_the_families():
    assert tuple(FAMILIES) == FAMILY_NAMES
    assert all(family.summary for family in FAMILIES.values())


@pytest.mark.parametrize("name", OTHERS)
def test_it_learns_the_rule_and_repeats_with_the_same_seed(name):
    scores = fit_once(name)
    assert scores.shape == (300,)
    assert scores.dtype == np.float32
    assert roc_auc_score(TEST.labels, scores) > (0.8 if FAMILIES[name].supervised else 0.65)
    np.testing.assert_allclose(fit(name), scores, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in OTHERS if not FAMILIES[name].supervised])
def test_what_learns_from_benign_rows_does_not_look_at_the_others(name):
    texts = [
        text if label == 0 else "nonsense"
        for text, label in zip(TRAIN.texts, TRAIN.labels, strict=True)
    ]
    np.testing.assert_allclose(fit(name, TRAIN._replace(texts=texts)), fit_once(name), atol=1e-3)
