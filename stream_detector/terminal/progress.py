"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere.

It goes to stderr; standard output is for results.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from rich import progress as bars
from rich.console import Console
from rich.text import Text

_FIRST_LINE_SECONDS = 2.0
"""Shorter work shows nothing."""
_LINE_SECONDS = 5.0
"""Between two lines without a terminal: the log stays short, yet shows that work goes on."""


class Stage:
    """One piece of work, and how much of it is done."""

    def __init__(self, what: str, total: int | None = None, unit: str = "") -> None:
        self._started = time.monotonic()
        self._unit = unit
        self.begin(what, total)

    def begin(self, what: str, total: int | None = None) -> None:
        """Begin the next part, of ``total`` units; None if their number is unknown."""
        self.what = what
        self.total = total
        self.done = 0
        self.note = ""

    def update(self, done: int, note: str = "", *, total: int | None = None) -> None:
        """Set the number of units done, with a ``note`` such as the loss.

        Give ``total`` where the beginning did not know it, or where it has changed.
        """
        self.done, self.note = done, note
        if total is not None:
            self.total = total

    def __str__(self) -> str:
        counted = f"{self.done:,}" if self.done or self.total else ""
        if self.total:
            counted = f"{counted} of {self.total:,} {self._unit}".rstrip()
        seconds = f"{time.monotonic() - self._started:.0f} s"
        return ", ".join(filter(None, (self.what, counted, self.note, seconds)))


class Progress:
    """Where long work reports its progress. This base class shows nothing."""

    def tell(self, line: str) -> None:
        """Write a line that stays, such as the figures of an epoch."""

    @contextlib.contextmanager
    def stage(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
        """Report the block as one stage of ``total`` units; stages may be nested.

        ``unit`` names the units where ``what`` does not.
        """
        yield Stage(what, total, unit)


class ShownProgress(Progress):
    """Shows stages on a console, by default stderr.

    On a terminal each has a bar; elsewhere lines tell of the innermost one.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        first_line_seconds: float = _FIRST_LINE_SECONDS,
        line_seconds: float = _LINE_SECONDS,
    ) -> None:
        self._console = Console(stderr=True) if console is None else console
        self._line_seconds = line_seconds
        self._next_line_at = time.monotonic() + first_line_seconds
        """Across stages, so that many short ones show lines too."""
        self._stages: list[Stage] = []
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            _CountColumn(),
            bars.TextColumn("{task.fields[note]}", markup=False),
            _RateColumn(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            # Where only stderr is a terminal, rich would send results there.
            redirect_stdout=sys.stdout.isatty(),
        )

    def tell(self, line: str) -> None:
        """See the base class."""
        self._next_line_at = time.monotonic() + self._line_seconds
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    @contextlib.contextmanager
    def stage(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
        """See the base class."""
        stage = _ShownStage(what, total, unit, self._bar)
        self._stages.append(stage)
        try:
            with self._shown() if len(self._stages) == 1 else contextlib.nullcontext():
                yield stage
        finally:
            self._stages.pop()
            self._bar.remove_task(stage.task)

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        """Show until the outermost stage ends: commands print results between stages."""
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
        while not over.wait(max(0.0, self._next_line_at - time.monotonic())):
            if time.monotonic() >= self._next_line_at:
                for stage in self._stages[-1:]:
                    self.tell(str(stage))


class _ShownStage(Stage):
    """A stage with its own bar."""

    def __init__(self, what: str, total: int | None, unit: str, bar: bars.Progress) -> None:
        self._bar = bar
        self.task = bar.add_task(what, total=total, note="")
        super().__init__(what, total, unit)

    def begin(self, what: str, total: int | None = None) -> None:
        """See the base class."""
        super().begin(what, total)
        self._bar.reset(self.task, description=what, total=total, note="")

    def update(self, done: int, note: str = "", *, total: int | None = None) -> None:
        """See the base class."""
        super().update(done, note, total=total)
        self._bar.update(self.task, completed=done, total=self.total, note=note)


class _CountColumn(bars.MofNCompleteColumn):
    """Units done and in total, if the total is known."""

    def render(self, task: bars.Task) -> Text:
        """The two numbers as text."""
        return Text("") if task.total is None else super().render(task)


class _RateColumn(bars.ProgressColumn):
    """Units a second, once it is known."""

    def render(self, task: bars.Task) -> Text:
        """The rate as text."""
        return Text("" if not task.speed else f"{task.speed:,.0f} a second")
