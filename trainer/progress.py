"""What a command shows of long work: a bar on a terminal, a line every few seconds elsewhere."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.text import Text

from trainer.console import messages

if TYPE_CHECKING:
    from trainer.checkpoint import Checkpoint
    from trainer.training import Epoch

__all__ = [
    "Progress",
    "ShownProgress",
    "Stage",
    "TrainingProgress",
    "shown_training",
    "stopped_by_hand",
]

_LINE_SECONDS = 5.0
"""Between two lines where there is no terminal: a log stays short, and nobody thinks it hangs."""


class Stage:
    """One piece of work: how much of it is done."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._started = time.monotonic()
        self.begin(what, total)

    def begin(self, what: str, total: int | None = None) -> None:
        """The next part of the work, of ``total`` units; None where nobody can count them."""
        self.what = what
        self.total = total
        self.done = 0
        self.note = ""

    def update(self, done: int, note: str = "") -> None:
        """So many units are done; ``note`` says what else is known, such as the loss."""
        self.done, self.note = done, note

    def __str__(self) -> str:
        counted = "" if self.total is None else f"{self.done:,} of {self.total:,}"
        seconds = f"{time.monotonic() - self._started:.0f} s"
        return ", ".join(filter(None, (self.what, counted, self.note, seconds)))


class Progress:
    """Where long work says what it does. This one says nothing: the base of those that do."""

    def tell(self, line: str) -> None:
        """One line that stays, such as the figures of an epoch."""

    @contextlib.contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Stage]:
        """The block is one piece of work of ``total`` units; stages may lie within one another."""
        yield Stage(what, total)


class ShownProgress(Progress):
    """Shows stages on ``console``: a bar each on a terminal, lines on the innermost elsewhere."""

    def __init__(self, console: Console = messages, *, line_seconds: float = _LINE_SECONDS) -> None:
        self._console = console
        self._line_seconds = line_seconds
        self._told = time.monotonic()
        """When the last line was told: many short stages are no reason to say nothing for long."""
        self._stages: list[Stage] = []
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            _CountColumn(),
            TextColumn("{task.fields[note]}"),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def tell(self, line: str) -> None:
        """See the base class."""
        self._told = time.monotonic()
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    @contextlib.contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Stage]:
        """See the base class."""
        stage = _ShownStage(what, total, self._bar)
        self._stages.append(stage)
        try:
            with self._shown() if len(self._stages) == 1 else contextlib.nullcontext():
                yield stage
        finally:
            self._stages.pop()
            stage.remove()

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        """Results are printed between stages, so a bar must not outlive the outermost one."""
        over = threading.Event()
        if self._console.is_terminal:
            self._bar.start()
        else:
            threading.Thread(target=self._tell_now_and_then, args=(over,), daemon=True).start()
        try:
            yield
        finally:
            self._bar.stop()
            over.set()

    def _tell_now_and_then(self, over: threading.Event) -> None:
        while not over.wait(max(0.0, self._told + self._line_seconds - time.monotonic())):
            if time.monotonic() >= self._told + self._line_seconds:
                for stage in self._stages[-1:]:
                    self.tell(str(stage))


class _ShownStage(Stage):
    """A stage that is a bar of its own."""

    def __init__(self, what: str, total: int | None, bar: RichProgress) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=total, note="")
        super().__init__(what, total)

    def begin(self, what: str, total: int | None = None) -> None:
        """See the base class."""
        super().begin(what, total)
        self._bar.reset(self._task, description=what, total=total, note="")

    def update(self, done: int, note: str = "") -> None:
        """See the base class."""
        super().update(done, note)
        self._bar.update(self._task, completed=done, note=note)

    def remove(self) -> None:
        """The work is done, and its bar goes."""
        self._bar.remove_task(self._task)


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


class _CountColumn(MofNCompleteColumn):
    """Units done and in all, where they can be counted."""

    def render(self, task: Task) -> Text:
        """The two numbers as text."""
        return Text("") if task.total is None else super().render(task)


class _RateColumn(ProgressColumn):
    """Rows a second, once it is known."""

    def render(self, task: Task) -> Text:
        """The rate as text."""
        return Text("" if not task.speed else f"{task.speed:,.0f} a second")
