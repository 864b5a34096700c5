"""The study that the project grew from, run again on a file in its format.

A list of ``url,label`` without a header, cut to as many benign as malicious rows, a table of
character-level LSTMs and scikit-learn's classifiers, histories by epoch, and 'predicted / actual'
for the first rows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_detector.events import Kind
from trainer.examples.datasets import Dataset
from trainer.families import families
from trainer.families.base import Family
from trainer.report.figures import Measured
from trainer.report.making import candidate_of_family, make_report
from trainer.shown_progress import Progress
from trainer.training.imbalance import Imbalance, resampled

__all__ = ["run_study"]


def run_study(
    dataset: Dataset,
    folder: Path,
    *,
    names: Sequence[str],
    kind: Kind,
    length_max: int,
    epochs: int,
    imbalance: Imbalance,
    seed: int,
    title: str,
    command: str,
    data: str,
    notes: Sequence[str],
    progress: Progress,
) -> list[Measured]:
    """Fit the families ``names`` on the training part, measure them on the test part, report.

    Raises:
        OSError: ``folder`` cannot be written.
    """
    train = resampled(dataset.of_part("train"), imbalance, seed=seed)
    validation = dataset.of_part("val")
    known: Mapping[str, Family] = families(length_max=length_max, epochs=epochs)
    candidates = [
        candidate_of_family(name, known[name], train, validation, seed=seed, progress=progress)
        for name in names
    ]
    return make_report(
        folder,
        candidates,
        dataset.of_part("test"),
        kind=kind,
        title=title,
        command=command,
        data=data,
        notes=[*notes, f"Trained on {len(train.texts):,} rows after '{imbalance}'."],
        progress=progress,
    )
