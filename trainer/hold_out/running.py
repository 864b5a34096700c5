"""All trainings of a hold-out, one after the other; a stopped run resumes with those it saved."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.system.atomic_files import write_atomically
from stream_detector.terminal.progress import Progress
from trainer.examples.readers import DataError
from trainer.families.base import Family
from trainer.files.private import make_private_folder
from trainer.hold_out.measuring import HoldOut, Training


class TrainingStore:
    """Finished trainings, a JSON file each, so that a stopped run can resume."""

    def __init__(self, folder: Path) -> None:
        """The first training that is saved makes ``folder``."""
        self._folder = folder

    def save(self, training: Training) -> None:
        """Save ``training``; a kill while saving leaves no half file.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self._path(training.family, training.identity)
        make_private_folder(self._folder)
        content = msgspec.json.format(msgspec.json.encode(training), indent=2)
        write_atomically(path, content + b"\n", mode=0o600)

    def load(self, family: str, identity: str) -> Training | None:
        """The training of that identity; None if there is none.

        Raises:
            DataError: its file is damaged.
        """
        path = self._path(family, identity)
        try:
            training = msgspec.json.decode(path.read_bytes(), type=Training)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path} is damaged ({error}): delete it, and its training is done again"
            ) from error
        return training if training.identity == identity else None

    def _path(self, family: str, identity: str) -> Path:
        return self._folder / f"{family}-{identity[:16]}.json"


def trainings(
    plan: HoldOut,
    families: Sequence[Family],
    folder: Path,
    *,
    kind: Kind,
    epochs: int,
    seed: int,
    resume: bool,
    progress: Progress,
) -> Iterator[Training]:
    """Every family on every fold; saves each training below ``folder`` when it is done.

    ``resume`` takes over saved trainings of the same data, options and fold.

    Raises:
        DataError: a saved training is damaged.
        StreamDetectorError: ``folder`` cannot be written.
    """
    store = TrainingStore(folder / "trainings")
    wanted = [(fold, family) for fold in plan.folds for family in families]
    try:
        make_private_folder(folder)
        for number, (fold, family) in enumerate(wanted, start=1):
            identity = plan.identity(fold, family.name, kind, epochs, seed)
            training = store.load(family.name, identity) if resume else None
            progress.tell(
                f"training {number} of {len(wanted)}: {family.name} without {fold}"
                f"{', done before' if training else ''}"
            )
            if training is None:
                training = plan.train(fold, family, identity=identity, seed=seed, progress=progress)
                store.save(training)
            progress.tell(f"  {_in_short(training)}")
            yield training
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error


def _in_short(training: Training) -> str:
    said = []
    if training.malicious is not None:
        at_1 = training.malicious.detections[0]
        said += [
            f"{training.malicious.name}: ROC AUC {training.malicious.roc_auc:.4f}",
            f"TPR at FPR 1% {at_1.tpr.value:.3f}" if at_1.enough else "too few benign rows for TPR",
        ]
    if training.benign:
        worst = max(training.benign, key=lambda one: one.flagged.value)
        said.append(f"benign most flagged: {worst.name}, {worst.flagged.value:.1%}")
    return ", ".join([*said, f"{training.seconds:.0f} s"])
