"""How far long work has come, on stderr: a bar on a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

__all__ = ["Report", "shown_progress"]

_FIRST_SECONDS = 2.0
"""Work that is done by then says nothing."""
_REPEAT_SECONDS = 5.0

Report = Callable[[int, int, str], None]
"""Takes how much is done, of how much, and a note such as ``12,000 lines``."""


@contextmanager
def shown_progress(what: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """Show the progress of the block, which reports it; ``what`` is done, such as ``reading x``."""
    if sys.stderr.isatty():
        with _bar(what) as report:
            yield report
        return
    next_at = clock() + _FIRST_SECONDS

    def tell(done: int, total: int, note: str) -> None:
        nonlocal next_at
        if clock() >= next_at:
            next_at = clock() + _REPEAT_SECONDS
            share = f"{done / total:.0%}" if total else ""
            click.echo(f"{what}: {', '.join(filter(None, (share, note)))}", err=True)

    yield tell


@contextmanager
def _bar(what: str) -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415 - few commands need it
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(escape(what), total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)
