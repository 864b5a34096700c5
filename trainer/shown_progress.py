"""The progress display of the trainer's commands."""

import contextlib
from collections.abc import Iterator

from rich.console import Console

from stream_detector.terminal.progress import ShownProgress as OnConsole
from stream_detector.terminal.progress import Stage
from trainer.console import messages


class ShownProgress(OnConsole):
    """Shows on the console of ``tell``, also while TensorFlow's stderr is held back."""

    def __init__(self, console: Console = messages, **seconds: float) -> None:
        super().__init__(console, **seconds)


@contextlib.contextmanager
def shown_stage(what: str) -> Iterator[Stage]:
    """Show the block, or the command that this decorates, as one piece of work."""
    with ShownProgress().stage(what) as stage:
        yield stage
