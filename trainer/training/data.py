"""The rows of one training, held in memory or streamed from files, and their balance.

Where one label has many more rows than the other, the training part can be changed. Scores stay
probabilities: calibration is fitted on the validation part, which keeps the shares of the data.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from stream_detector.events import Kind
from trainer.examples.datasets import Census, Dataset, census_of, read_dataset
from trainer.examples.labelled import Examples
from trainer.training.batches import TrainingRows

Imbalance = Literal["none", "truncate", "oversample", "class_weight"]
"""What to do with the training part."""


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


class TrainingData(NamedTuple):
    """What a training needs to know about its rows."""

    train: Dataset | TrainingRows
    held: Dataset
    """Holds the validation and the test part."""
    census: Census
    malicious_weight: float
    """Weight of a malicious row in the loss; a benign one weighs 1."""
    identity: tuple[object, ...]
    """Together with ``texts``, identifies the training rows."""
    texts: Sequence[str]

    @property
    def rows(self) -> int:
        """Of all parts."""
        return sum(rows for rows, _ in self.census.sources.values())


def held_data(examples: Examples, kind: Kind, imbalance: Imbalance, *, seed: int) -> TrainingData:
    """Read all ``examples`` into memory.

    Raises:
        DataError: as ``read_dataset``.
    """
    dataset = read_dataset(examples, kind)
    rows = resampled(dataset.of_part("train"), imbalance, seed=seed)
    weight = malicious_weight(rows, imbalance)
    census = census_of(dataset)
    return TrainingData(rows, dataset, census, weight, (rows.labels.tobytes(),), rows.texts)
