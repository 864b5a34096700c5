"""The networks: trained by ``trainer.training.fitting``, served as bundles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.architectures import ARCHITECTURES, Architecture
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.families.base import Family
from trainer.training.fitting import Fit, fit, logits_of
from trainer.training.progress import shown_training
from trainer.training.recipe import Recipe


class FittedNetwork:
    """A network with the weights of its best epoch."""

    def __init__(self, architecture: Architecture, fitted: Fit) -> None:
        self.architecture = architecture
        self.fitted = fitted

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Logits."""
        return logits_of(self.architecture, self.fitted.weights, texts)


class Network(Family):
    """One architecture, by its name."""

    def __init__(self, name: str, *, length_max: int, recipe: Recipe) -> None:
        self.name = name
        self.summary = ARCHITECTURES[name].__doc__.partition("\n")[0].rstrip(".")  # type: ignore[union-attr]
        self._architecture = ARCHITECTURES[name](length_max=length_max)
        self._recipe = recipe

    def fit(
        self, train: Dataset, validation: Dataset, *, seed: int, progress: Progress
    ) -> FittedNetwork:
        """See the base class."""
        with shown_training(progress, self.name) as shown:
            fitted = fit(
                self._architecture,
                train,
                validation,
                self._recipe._replace(seed=seed),
                kind="url",  # matters to augmentation alone, which this recipe does without
                on_step=shown.on_step,
                on_epoch=shown.on_epoch,
            )
        return FittedNetwork(self._architecture, fitted)
