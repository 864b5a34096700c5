"""The batches of a training: rows of like length together, in another order in each epoch."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind
from stream_detector.models.encoding import shorten
from trainer.examples.datasets import Dataset
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
