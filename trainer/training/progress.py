"""The progress display of a training."""

import contextlib
from collections.abc import Iterator

from stream_detector.terminal.progress import Progress, Stage
from trainer.training.fitting import Epoch


class TrainingProgress:
    """The callbacks of ``fitting.fit``: a stage for each epoch, and a line when it ends."""

    def __init__(self, progress: Progress, stage: Stage, name: str) -> None:
        self._progress = progress
        self._stage = stage
        self._prefix = f"{name}: " if name else ""
        self._begin_epoch(1)

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Show the rows done, of ``total``, and the loss."""
        if self._stage.total is None:
            self._stage.begin(self._stage.what, total)
        self._stage.update(done, f"loss {loss:.4f}")
        if done == total:
            self._stage.begin(f"{self._prefix}epoch {self._epoch}, validation")

    def on_epoch(self, epoch: Epoch) -> None:
        """Print the figures of an epoch."""
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
    """Show the training in the block; ``name`` tells it from others."""
    with progress.stage(name) as stage:
        yield TrainingProgress(progress, stage, name)
