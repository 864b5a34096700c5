"""Printing of the commands of ``stream-trainer``, and the command line that they quote."""

import contextlib
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from stream_detector.logs.setup import stderr_of_its_own
from stream_detector.terminal.printable import printable
from stream_detector.terminal.progress import ShownProgress as OnConsole
from stream_detector.terminal.progress import Stage
from stream_detector.terminal.table import table_lines

if TYPE_CHECKING:
    from trainer.report.figures import Measured

_USER_OF_URL = re.compile(r"://[^/@]*@")

messages = Console(file=stderr_of_its_own())
"""Stderr, by a separate descriptor that stays open while TensorFlow's output is held back."""


class ShownProgress(OnConsole):
    """Shows progress where ``tell`` prints, also while TensorFlow's stderr is held back."""

    def __init__(self, console: Console = messages, **seconds: float) -> None:
        super().__init__(console, **seconds)


@contextlib.contextmanager
def shown_stage(what: str) -> Iterator[Stage]:
    """Show the block, or the command that this decorates, as one piece of work."""
    with ShownProgress().stage(what) as stage:
        yield stage


def tell(line: str) -> None:
    """Print one line of progress."""
    messages.print(line, soft_wrap=True, highlight=False, markup=False)


def show(lines: Iterable[str]) -> None:
    """Print results on standard output."""
    for line in lines:
        click.echo(line)


def file_names(paths: Sequence[Path]) -> str:
    """Files by base name: reports go to machines where the paths mean nothing."""
    return ", ".join(path.name for path in paths)


def command_line() -> str:
    """The command that runs, so that a reader of its manifest can repeat it from the same folder.

    Paths are relative to the working folder or the user's home, and URLs have no user name and
    password: manifests and reports go to other machines and people.
    """
    return " ".join(["stream-trainer", *map(_repeatable, sys.argv[1:])])


def _repeatable(word: str) -> str:
    """``word`` for a shell."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    value = _USER_OF_URL.sub("://", value)
    path = Path(value)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        value = str(path.relative_to(Path.cwd()))
    elif path.is_absolute() and path.is_relative_to(Path.home()):
        return f"{option}{equals}~/{shlex.quote(str(path.relative_to(Path.home())))}"
    return shlex.quote(f"{option}{equals}{value}")


def show_figures(models: "Sequence[Measured]") -> None:
    """Print the figures of ``models`` as a table on standard output."""
    rows = [["", "rows", "accuracy", "ROC AUC", "TPR at 1%", "TPR at 0.1%", "ECE"]]
    for model in models:
        at_1, at_01, *_ = model.detections
        rows.append(
            [
                model.name,
                f"{model.rows:,}",
                f"{model.accuracy:.4f}",
                f"{model.roc_auc:.4f}",
                *[f"{at.tpr.value:.4f}" if at.enough else "too few" for at in (at_1, at_01)],
                f"{model.expected_calibration_error:.4f}",
            ]
        )
        for group in model.groups.get("kind", ()):
            if group.tpr is not None and group.roc_auc is not None:
                name, size = printable(f"  {group.name}"), f"{group.malicious:,}"
                auc, tpr = f"{group.roc_auc:.4f}", f"{group.tpr.value:.4f}"
                rows.append([name, size, "", auc, tpr, "", ""])
    show(table_lines(rows, right=range(1, 7)))
