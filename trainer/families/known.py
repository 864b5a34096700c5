"""All families, ready to fit."""

from collections.abc import Mapping

from trainer.families import NETWORK_NAMES
from trainer.families.anomaly import OUTLIERS, LanguageModelSurprise
from trainer.families.base import Family
from trainer.families.classical import CLASSICAL
from trainer.families.neural import Network
from trainer.training.recipe import Recipe


def families(*, length_max: int, epochs: int) -> Mapping[str, Family]:
    """All families by name; networks read ``length_max`` characters.

    Networks and the language model are trained for up to ``epochs``.
    """
    recipe = Recipe(epochs=epochs)
    networks = [Network(name, length_max=length_max, recipe=recipe) for name in NETWORK_NAMES]
    others = (*OUTLIERS, LanguageModelSurprise(epochs=epochs))
    return {family.name: family for family in (*networks, *CLASSICAL, *others)}
