"""All families, ready to fit."""

from collections.abc import Mapping

from stream_detector.models.architectures import ARCHITECTURES
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.families import NETWORK_NAMES
from trainer.families.base import Family, Fitted
from trainer.families.classical import CLASSICAL, OUTLIERS
from trainer.families.language_model import LanguageModelSurprise
from trainer.training.fitting import fit, logits_of, shown_training
from trainer.training.recipe import Recipe


class _Network(Family):
    """One architecture, by its name, which a worker can serve."""

    def __init__(self, name: str, *, length_max: int, recipe: Recipe) -> None:
        self.name = name
        self.summary = ARCHITECTURES[name].__doc__.partition("\n")[0].rstrip(".")  # type: ignore[union-attr]
        self._architecture = ARCHITECTURES[name](length_max=length_max)
        self._recipe = recipe

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, progress: Progress) -> Fitted:
        """See the base class."""
        with shown_training(progress, self.name) as shown:
            fitted = fit(
                self._architecture,
                train,
                validation,
                self._recipe._replace(seed=seed),
                kind="url",  # matters only to augmentation, which this recipe does without
                on_step=shown.on_step,
                on_epoch=shown.on_epoch,
            )
        return Fitted(
            lambda texts: logits_of(self._architecture, fitted.weights, texts),
            [epoch.figures for epoch in fitted.history],
        )


def families(*, length_max: int, epochs: int) -> Mapping[str, Family]:
    """All families by name; networks read ``length_max`` characters.

    Networks and the language model are trained for up to ``epochs``.
    """
    recipe = Recipe(epochs=epochs)
    networks = [_Network(name, length_max=length_max, recipe=recipe) for name in NETWORK_NAMES]
    others = (*OUTLIERS, LanguageModelSurprise(epochs=epochs))
    return {family.name: family for family in (*networks, *CLASSICAL, *others)}
