"""Ways to train where one label has many more rows than the other, by name.

They change the training part alone. Scores stay probabilities: calibration is fitted on the
validation part, which keeps the shares of the data.
"""

from typing import Literal

import numpy as np

from trainer.examples.datasets import Dataset

Imbalance = Literal["none", "truncate", "oversample", "class_weight"]


def resampled(train: Dataset, how: Imbalance, *, seed: int) -> Dataset:
    """``train`` with as many benign as malicious rows, or unchanged.

    ``truncate`` leaves out rows of the larger label, as the study did; ``oversample`` repeats rows
    of the smaller one. ``seed`` draws the rows, which keep their order.
    """
    if how not in {"truncate", "oversample"}:
        return train
    rng = np.random.default_rng(seed)
    benign, malicious = (np.flatnonzero(train.labels == label) for label in (0, 1))
    smaller, larger = sorted((benign, malicious), key=len)
    if how == "truncate":
        rows = np.concatenate([smaller, rng.choice(larger, len(smaller), replace=False)])
    else:
        repeated = rng.choice(smaller, len(larger) - len(smaller))
        rows = np.concatenate([smaller, repeated, larger])
    return train.rows(np.sort(rows))


def malicious_weight(train: Dataset, how: Imbalance) -> float:
    """Weight of a malicious row in the loss; a benign one weighs 1."""
    if how != "class_weight":
        return 1.0
    malicious = int(np.sum(train.labels))
    return balancing_weight(len(train.labels) - malicious, malicious)


def balancing_weight(benign: int, malicious: int) -> float:
    """Weight of a malicious row that gives both labels the same total weight."""
    return benign / max(1, malicious)
