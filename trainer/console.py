"""What the commands of ``stream-trainer`` say to who runs them, and how they call themselves."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_detector.logs.setup import stderr_of_its_own
from stream_detector.terminal.printable import printable

if TYPE_CHECKING:
    from trainer.report.figures import Measured

__all__ = [
    "command_line",
    "file_names",
    "messages",
    "printable",
    "results",
    "show_figures",
    "tell",
]

_PIPE_WIDTH = 100_000
"""Characters: no table is so wide."""

_USER_OF_URL = re.compile(r"://[^/@]*@")

messages = Console(file=stderr_of_its_own())
"""Where messages go; results go to standard output."""


def tell(line: str) -> None:
    """Print one line of progress."""
    messages.print(line, soft_wrap=True, highlight=False, markup=False)


def results() -> Console:
    """Where results go; what is no terminal takes lines of any length, and names stay whole."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_WIDTH)


def file_names(paths: Sequence[Path]) -> str:
    """Files by base name: a path of one machine says nothing on another."""
    return ", ".join(path.name for path in paths)


def command_line() -> str:
    """The command as it was given, so that it can be given again from the same folder.

    Paths below the working folder or the user's home are written from there, and URLs without
    user name and password: manifests and reports go to other machines and people.
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
    table = Table(box=None)
    for heading in ("", "rows", "accuracy", "ROC AUC", "TPR at 1%", "TPR at 0.1%", "ECE"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for model in models:
        at_1, at_01, *_ = model.detections
        table.add_row(
            escape(model.name),
            f"{model.rows:,}",
            f"{model.accuracy:.4f}",
            f"{model.roc_auc:.4f}",
            *[f"{one.tpr.value:.4f}" if one.enough else "too few" for one in (at_1, at_01)],
            f"{model.expected_calibration_error:.4f}",
        )
        for group in model.groups.get("kind", ()):
            if group.tpr is not None and group.roc_auc is not None:
                table.add_row(
                    escape(f"  {group.name}"),
                    f"{group.malicious:,}",
                    "",
                    f"{group.roc_auc:.4f}",
                    f"{group.tpr.value:.4f}",
                )
    results().print(table)
