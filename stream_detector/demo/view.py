"""What the demo shows while it runs: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream_detector.demo.ledger import Highlight, Ledger

__all__ = ["LiveView", "PlainView", "View", "view_for"]

_REFRESHES_PER_SECOND = 6
_PLAIN_SECONDS = 2.0
_HEADER_LINES = 12
"""Lines of the terminal that are not rows of the table."""
_ROWS_MAX = 18
_COLOURS = {"malicious": "bold red", "suspicious": "yellow", "benign": "green"}


class View(Protocol):
    """Shows what goes on. A context manager; ``refresh`` is called often and decides itself."""

    def step(self, text: str) -> None:
        """What is being done now."""
        ...

    def refresh(self, ledger: Ledger) -> None:
        """What came out so far."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def view_for(console: Console, *, records: int) -> View:
    """A live view on a terminal, plain lines elsewhere."""
    return (LiveView if console.is_terminal else PlainView)(console, records=records)


class _Rate:
    """Records a second, over the last few seconds."""

    def __init__(self, clock: Callable[[], float], *, seconds: float = 3.0) -> None:
        self._clock = clock
        self._seconds = seconds
        self._points: list[tuple[float, int]] = []

    def at(self, count: int) -> float:
        """The rate, with ``count`` records so far."""
        now = self._clock()
        self._points.append((now, count))
        while now - self._points[0][0] > self._seconds:
            del self._points[0]
        since, before = self._points[0]
        return (count - before) / (now - since) if now > since else 0.0


class LiveView:
    """The newest findings and running counts, drawn in place."""

    def __init__(
        self, console: Console, *, records: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``records`` is how many will be replayed."""
        self._console = console
        self._records = records
        self._clock = clock
        self._rate = _Rate(clock)
        self._drawn = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def step(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(text))

    def refresh(self, ledger: Ledger) -> None:
        """Draw anew, a few times a second."""
        now = self._clock()
        if now - self._drawn < 1 / _REFRESHES_PER_SECOND:
            return
        self._drawn = now
        done = ledger.sent_count - ledger.open_count
        rows = max(1, min(_ROWS_MAX, self._console.size.height - _HEADER_LINES))
        self._live.update(
            Group(
                "",
                # A bar alone ends no line: the padding does.
                Padding(ProgressBar(total=self._records, completed=done, width=60), 0),
                _counts(ledger, done, self._records, self._rate.at(done)),
                "",
                _table(list(ledger.highlights)[-rows:][::-1], ledger.alerts),
            ),
            refresh=True,
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the drawing away."""
        self._live.update("", refresh=True)
        self._live.stop()


class PlainView:
    """A line every other second, and nothing that only a terminal understands."""

    def __init__(
        self, console: Console, *, records: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``records`` is how many will be replayed."""
        self._console = console
        self._records = records
        self._clock = clock
        self._rate = _Rate(clock)
        self._printed = 0.0

    def step(self, text: str) -> None:
        """A line."""
        self._console.print(Text(text), soft_wrap=True)

    def refresh(self, ledger: Ledger) -> None:
        """A line with the counts, every other second."""
        now = self._clock()
        done = ledger.sent_count - ledger.open_count
        rate = self._rate.at(done)
        if ledger.sent_count and now - self._printed >= _PLAIN_SECONDS:
            self._printed = now
            self.step(_counts(ledger, done, self._records, rate).plain)

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to tidy up."""


def _counts(ledger: Ledger, done: int, records: int, rate: float) -> Text:
    """One line: how far, how fast, and what came out."""
    parts: list[str | tuple[str, str]] = [f"{done:,} of {records:,} records  {rate:,.0f}/s"]
    for name, colour in _COLOURS.items():
        parts += ["  ", (f"{ledger.verdicts[name]:,} {name}", colour)]
    parts += [
        f"  {len(ledger.alerts):,} alerts  {ledger.dead_letters.total():,} dead letters",
        f"  latency p50 {_milliseconds(ledger.latency(0.5))}",
        f" p99 {_milliseconds(ledger.latency(0.99))}",
    ]
    return Text.assemble(*parts)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _table(highlights: list[Highlight], alerts: set[str]) -> Table:
    """The newest verdicts that are not benign, newest first."""
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim")
    table.add_column("score", justify="right")
    table.add_column("verdict")
    table.add_column("alert")
    table.add_column("client")
    table.add_column("kind")
    table.add_column("URL or host", ratio=1, no_wrap=True, overflow="ellipsis")
    for entry in highlights:
        table.add_row(
            "" if entry.score is None else f"{entry.score:.4f}",
            Text(entry.verdict, style=_COLOURS[entry.verdict]),
            "ALERT" if entry.id in alerts else "",
            # Text, not markup: what a log holds is never interpreted.
            Text(entry.client),
            entry.kind,
            Text(entry.text),
        )
    return table
