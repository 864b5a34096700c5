"""What a command of the trainer shows of long work: see ``stream_detector.terminal.progress``."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console

from stream_detector.terminal.progress import Progress, Stage
from stream_detector.terminal.progress import ShownProgress as OnConsole
from trainer.console import messages

if TYPE_CHECKING:
    from trainer.training.checkpoint import Checkpoint
    from trainer.training.fitting import Epoch

__all__ = [
    "Progress",
    "ShownProgress",
    "Stage",
    "TrainingProgress",
    "shown_stage",
    "shown_training",
    "stopped_by_hand",
]


class ShownProgress(OnConsole):
    """On the trainer's own stderr, which goes on while that of TensorFlow is held back."""

    def __init__(self, console: Console = messages, **seconds: float) -> None:
        super().__init__(console, **seconds)


@contextlib.contextmanager
def shown_stage(what: str) -> Iterator[Stage]:
    """The block, or the command that this decorates, is one piece of work."""
    with ShownProgress().stage(what) as stage:
        yield stage


class TrainingProgress:
    """What ``training.fit`` calls, shown as a stage an epoch and a line for each that is done."""

    def __init__(self, progress: Progress, stage: Stage, name: str) -> None:
        self._progress = progress
        self._stage = stage
        self._prefix = f"{name}: " if name else ""
        self._epoch = 0
        self._begin_epoch(1)

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Rows done, rows in all, and the loss."""
        if self._stage.total is None:
            self._stage.begin(self._stage.what, total)
        self._stage.update(done, f"loss {loss:.4f}")
        if done == total:
            self._stage.begin(f"{self._prefix}epoch {self._epoch}, validation")

    def on_epoch(self, epoch: "Epoch") -> None:
        """An epoch is done."""
        self._progress.tell(
            f"{self._prefix}epoch {epoch.number}: loss {epoch.loss:.4f}, validation AUC "
            f"{epoch.validation_auc:.4f}, TPR at FPR 1% {epoch.validation_tpr:.3f}, "
            f"{epoch.seconds:.0f} s"
        )
        self._begin_epoch(epoch.number + 1)

    def _begin_epoch(self, number: int) -> None:
        self._epoch = number
        self._stage.begin(f"{self._prefix}epoch {number}")


@contextlib.contextmanager
def shown_training(progress: Progress, name: str = "") -> Iterator[TrainingProgress]:
    """The block is a training; ``name`` says of what, where there are several."""
    with progress.stage(name) as stage:
        yield TrainingProgress(progress, stage, name)


@contextlib.contextmanager
def stopped_by_hand(progress: Progress, checkpoint: "Checkpoint") -> Iterator[None]:
    """Say on Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        progress.tell(
            f"stopped: the epochs that were done are in {checkpoint.path}; go on with --resume"
            if checkpoint.path.exists()
            else "stopped: no epoch was done, so there is nothing to go on with"
        )
        raise
