"""The rows of one training, their batches and their balance; ``streaming`` has rows in files.

Rows of like length go together, in another order in each epoch.

Where one label has many more rows than the other, the training part can be changed. Scores stay
probabilities: calibration is fitted on the validation part, which keeps the shares of the data.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind
from stream_detector.models.encoding import shorten
from trainer.examples.datasets import Census, Dataset, census_of, read_dataset
from trainer.examples.labelled import Examples
from trainer.generated.augmentation import augmented
from trainer.training.recipe import Recipe


class Batch(NamedTuple):
    """The rows of one step."""

    texts: list[str]
    """As the network reads them, canonical and shortened; from one to ``batch_size``."""
    labels: NDArray[np.int8]
    """1 for malicious, 0 for benign; shape ``[len(texts)]``."""
    steps: int
    """Characters that the step runs over; no text is longer."""


class TrainingRows(Protocol):
    """The rows that ``fit`` trains on, in batches, in another order in each epoch.

    ``HeldRows`` holds them in memory, ``streaming.StreamedRows`` in files.
    """

    @property
    def rows(self) -> int:
        """How many rows an epoch has; at least 1."""

    def batches(
        self, epoch: int, recipe: Recipe, *, kind: Kind, length_max: int
    ) -> Iterator[Batch]:
        """Every row once, in exactly ``ceil(rows / recipe.batch_size)`` batches.

        The learning rate's schedule relies on that number. The same ``epoch`` (from 1) and
        ``recipe.seed`` give the same batches in every process, so that a resumed training gives
        the same weights as one that was not stopped.
        """


class HeldRows(NamedTuple):
    """``TrainingRows`` of a dataset in memory."""

    dataset: Dataset

    @property
    def rows(self) -> int:
        """How many rows an epoch has."""
        return len(self.dataset.texts)

    def batches(
        self, epoch: int, recipe: Recipe, *, kind: Kind, length_max: int
    ) -> Iterator[Batch]:
        """See ``TrainingRows``."""
        draws = random.Random(f"{recipe.seed} {epoch}")  # noqa: S311 - draws rows, guards nothing
        texts = texts_to_read(self.dataset.texts, kind, length_max, recipe, draws)
        rng = np.random.default_rng([recipe.seed, epoch])
        yield from batches_of(texts, self.dataset.labels, recipe.batch_size, length_max, rng)


def texts_to_read(
    texts: Sequence[str], kind: Kind, length_max: int, recipe: Recipe, draws: random.Random
) -> list[str]:
    """``texts`` as an epoch reads them: all shortened, a share augmented if the recipe says so."""
    if recipe.augment:
        texts = augmented(texts, kind, share=recipe.augment, rng=draws)
    return [shorten(text, length_max) for text in texts]


def batches_of(
    texts: Sequence[str],
    labels: NDArray[np.int8],
    batch_size: int,
    length_max: int,
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Every row once, in batches of rows of like length, in random order.

    Sorting by a jittered length gives batches with hardly any padding that still differ from epoch
    to epoch. Each different step count costs a compilation, so there are few.
    """
    lengths = np.array([len(text) for text in texts])
    for rows in rows_of_batches(lengths, batch_size, rng):
        longest = int(lengths[rows].max())
        quantum = 8 if longest <= 64 else 32
        steps = min(length_max, -(-longest // quantum) * quantum)
        yield Batch([texts[row] for row in rows], labels[rows], steps)


def rows_of_batches(
    lengths: NDArray[np.int64], batch_size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """The places of each batch's rows; rows of like length go together."""
    order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)), kind="stable")
    starts = np.arange(0, len(order), batch_size)
    rng.shuffle(starts)
    for start in starts:
        yield order[start : start + batch_size]


Imbalance = Literal["none", "truncate", "oversample", "class_weight"]
"""How to balance the training part."""


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


def malicious_weight(benign: int, malicious: int, how: Imbalance) -> float:
    """Weight of a malicious row in the loss, of so many; a benign one weighs 1."""
    return benign / max(1, malicious) if how == "class_weight" else 1.0


class TrainingData(NamedTuple):
    """The rows of a training, and how to weigh them."""

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
    malicious = int(np.sum(rows.labels))
    return TrainingData(
        train=rows,
        held=dataset,
        census=census_of(dataset),
        malicious_weight=malicious_weight(len(rows.labels) - malicious, malicious, imbalance),
        identity=(rows.labels.tobytes(),),
        texts=rows.texts,
    )
