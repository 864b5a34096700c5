"""How to train a network."""

from typing import NamedTuple


class Recipe(NamedTuple):
    """How to train. ``stream-trainer train`` has options for those that data may ask for."""

    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 2e-3
    """At its height; it rises over the first half epoch and falls as a cosine to a hundredth."""
    ngram_learning_rate: float = 2.0
    """Of Adagrad, for tables of n-grams; it falls in a straight line to 0."""
    weight_decay: float = 1e-4
    dropout: float = 0.3
    label_smoothing: float = 0.02
    """Corpora mislabel a few rows in a hundred; a network that is sure of them learns noise."""
    part_weight: float = 0.3
    """Weight of each half's own loss; the loss of their sum weighs 1."""
    malicious_weight: float = 1.0
    """Weight of a malicious row in the loss; a benign one weighs 1."""
    augment: float = 0.0
    """Share of the training rows that each epoch changes; see ``augmentation``."""
    patience: int = 3
    """Epochs without a better validation AUC after which training stops."""
    seed: int = 0
