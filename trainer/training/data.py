"""The rows of one training, held in memory or streamed from files."""

from collections.abc import Sequence
from typing import NamedTuple

from stream_detector.events import Kind
from trainer.examples.datasets import Census, Dataset, census_of, read_dataset
from trainer.examples.labelled import Examples
from trainer.training.batches import TrainingRows
from trainer.training.imbalance import Imbalance, malicious_weight, resampled


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
