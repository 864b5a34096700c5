"""What a training shows while it runs: a bar for the epoch, a line for each that is done."""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from stream_detector.errors import StreamDetectorError
from trainer.console import messages

if TYPE_CHECKING:
    from trainer.checkpoint import Checkpoint
    from trainer.training import Epoch

__all__ = ["TrainingProgress", "stopped_by_hand"]


class TrainingProgress:
    """A bar on a terminal, lines elsewhere. A context manager; its methods are for ``fit``."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            _RateColumn(),
            TimeRemainingColumn(),
            console=messages,
            transient=True,  # By the end it shows an epoch that is never run.
            disable=not messages.is_terminal,
        )
        self._task = self._progress.add_task("epoch 1", total=None, loss="")

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Rows done, rows in all, and the loss."""
        self._progress.update(self._task, completed=done, total=total, loss=f"loss {loss:.4f}")

    def on_epoch(self, epoch: "Epoch") -> None:
        """An epoch is done."""
        self._progress.print(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}, validation AUC "
            f"{epoch.validation_auc:.4f}, TPR at FPR 1% {epoch.validation_tpr:.3f}, "
            f"{epoch.seconds:.0f} s",
            soft_wrap=True,
        )
        self._progress.reset(
            self._task,
            description=f"epoch {epoch.number + 1} (AUC so far {epoch.validation_auc:.4f})",
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


@contextlib.contextmanager
def stopped_by_hand(checkpoint: "Checkpoint") -> Iterator[None]:
    """Say on Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = (
            f"the epochs that were done are in {checkpoint.path}; go on with --resume"
            if checkpoint.path.exists()
            else "no epoch was done, so there is nothing to go on with"
        )
        raise StreamDetectorError(f"stopped: {kept}") from None


class _RateColumn(ProgressColumn):
    """Rows a second, once it is known."""

    def render(self, task: Task) -> Text:
        """The rate as text."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} rows/s")
