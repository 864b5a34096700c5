"""All trainings of a hold-out, one after the other; a stopped run resumes with those it saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.system.atomic_files import write_atomically
from stream_detector.terminal.progress import Progress
from trainer.examples.readers import DataError
from trainer.families import LENGTH_MAX
from trainer.families.known import families
from trainer.files import make_private_folder
from trainer.hold_out.measuring import HoldOut, Training
from trainer.hold_out.report import HoldOutReport, content, family_means, lines_of
from trainer.report.rendering import write_report


def save_training(folder: Path, training: Training) -> None:
    """Save a finished training as a JSON file in ``folder``; a kill leaves no half file.

    Raises:
        OSError: the folder cannot be written.
    """
    make_private_folder(folder)
    content = msgspec.json.format(msgspec.json.encode(training), indent=2)
    path = _path(folder, training.family, training.identity)
    write_atomically(path, content + b"\n", mode=0o600)


def load_training(folder: Path, family: str, identity: str) -> Training | None:
    """The training of that identity; None if there is none.

    Raises:
        DataError: its file is damaged.
    """
    path = _path(folder, family, identity)
    try:
        training = msgspec.json.decode(path.read_bytes(), type=Training)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is damaged ({error}): delete it, and its training is done again"
        ) from error
    return training if training.identity == identity else None


def _path(folder: Path, family: str, identity: str) -> Path:
    return folder / f"{family}-{identity[:16]}.json"


class Done(NamedTuple):
    """The end of a hold-out, to show."""

    lines: list[str]
    """The figures, for a terminal."""
    stopped: str
    """How to go on after Ctrl-C; empty if all trainings are done."""


def run_hold_out(
    plan: HoldOut,
    names: Sequence[str],
    folder: Path,
    *,
    kind: Kind,
    epochs: int,
    seed: int,
    resume: bool,
    command: str,
    data: str,
    notes: Sequence[str],
    progress: Progress,
) -> Done:
    """Train the families ``names`` on every fold, and write the report into ``folder``.

    Each training is saved below ``folder`` when it is done; ``resume`` takes over saved trainings
    of the same data, options and fold. Ctrl-C ends the trainings, and the report is of those done.

    Raises:
        DataError: a saved training is damaged.
        StreamDetectorError: ``folder`` cannot be written.
        KeyboardInterrupt: before any training was done.
    """
    known = families(length_max=LENGTH_MAX[kind], epochs=epochs)
    wanted = [(fold, known[name]) for fold in plan.folds for name in names]
    saved = folder / "trainings"
    done: list[Training] = []
    stopped = ""
    try:
        make_private_folder(folder)
        for number, (fold, family) in enumerate(wanted, start=1):
            identity = plan.identity(fold, family.name, kind, epochs, seed)
            training = load_training(saved, family.name, identity) if resume else None
            progress.tell(
                f"training {number} of {len(wanted)}: {family.name} without {fold}"
                f"{', done before' if training else ''}"
            )
            if training is None:
                training = plan.train(fold, family, identity=identity, seed=seed, progress=progress)
                save_training(saved, training)
            progress.tell(f"  {_in_short(training)}")
            done.append(training)
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error
    except KeyboardInterrupt:  # Trainings take hours: those that are done are worth a report.
        if not done:
            progress.tell("stopped: no training was done")
            raise
        stopped = (
            f"stopped: {len(done)} of {len(wanted)} trainings are done; continue with --resume"
        )
    report = HoldOutReport(
        title=f"How well {', '.join(names)} detect what they never saw",
        command=command,
        data=data,
        notes=[*notes, *([f"Incomplete, {stopped}."] if stopped else [])],
        by=plan.by,
        families=family_means(done, names),
        trainings=done,
    )
    write_report(folder, report, content(report), plots={})
    return Done(list(lines_of(report)), stopped)


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
