"""The contract of a model family."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset


class Fitted(NamedTuple):
    """A fitted model."""

    scores: Callable[[Sequence[str]], NDArray[np.float32]]
    """How malicious texts look, shape ``[len(texts)]``: higher is worse, on any scale."""
    history: Sequence[dict[str, float]] = ()
    """The figures of each epoch, of a model that is trained in epochs."""


class Family(ABC):
    """One way to make a model of labelled texts. Immutable; ``fit`` may be called again.

    All families get the same canonical texts and the same split, and are measured alike.
    """

    name: str
    """As on the command line."""
    summary: str
    """One line for a person."""
    supervised: bool = True
    """False where it learns only from benign rows."""

    @abstractmethod
    def fit(self, train: Dataset, validation: Dataset, *, seed: int, progress: Progress) -> Fitted:
        """Fit on ``train``; ``validation`` is for stopping only. ``progress`` shows the work.

        The same seed and data give the same model on the same CPU.
        """


def benign_texts(dataset: Dataset) -> list[str]:
    """The texts that a family that is not supervised learns from."""
    return [dataset.texts[row] for row in np.flatnonzero(dataset.labels == 0)]
