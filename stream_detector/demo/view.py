"""The demo's display while it runs: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stream_detector.demo.ledger import Ledger, SeenVerdict

_RATE_SECONDS = 3.0
_DRAWN_SECONDS, _LINE_SECONDS = 1 / 6, 2.0
"""Between two drawings, or two lines."""
_HEADER_LINES = 12
"""Lines of the terminal that are not rows of the table."""
_ROWS_MAX = 18
_COLOURS = {"malicious": "bold red", "suspicious": "yellow", "benign": "green"}


class View:
    """Drawn in place on a terminal; elsewhere a line every other second, without control codes.

    A context manager, which removes the drawing at its end.
    """

    def __init__(
        self, console: Console, *, records: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``records`` is the number to be replayed."""
        self._console = console
        self._records = records
        self._clock = clock
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._refresh_seconds = _DRAWN_SECONDS if self._live else _LINE_SECONDS
        self._points: list[tuple[float, int]] = []
        self._refreshed = 0.0

    def step(self, text: str) -> None:
        """Print a line that stays, about the step that begins."""
        self._console.print(Text(text), soft_wrap=True)

    def refresh(self, ledger: Ledger) -> None:
        """Show the outcome so far; the caller may call this often."""
        now, done = self._clock(), ledger.sent_count - ledger.open_count
        rate = self._rate(now, done)
        if not ledger.sent_count or now - self._refreshed < self._refresh_seconds:
            return
        self._refreshed = now
        counts = _counts(ledger, done, self._records, rate)
        if self._live is None:
            self.step(counts.plain)
            return
        rows = max(1, min(_ROWS_MAX, self._console.size.height - _HEADER_LINES))
        # A bar without padding would not end its line.
        bar = Padding(ProgressBar(total=self._records, completed=done, width=60), 0)
        table = _table(list(ledger.highlights)[-rows:][::-1], ledger.alerts)
        self._live.update(Group("", bar, counts, "", table), refresh=True)

    def _rate(self, now: float, done: int) -> float:
        """Records a second, over the last few seconds."""
        self._points.append((now, done))
        while now - self._points[0][0] > _RATE_SECONDS:
            del self._points[0]
        since, before = self._points[0]
        return (done - before) / (now - since) if now > since else 0.0

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the drawing."""
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()


def _counts(ledger: Ledger, done: int, records: int, rate: float) -> Text:
    """One line: how far, how fast, and the outcome."""
    parts: list[str | tuple[str, str]] = [f"{done:,} of {records:,} records  {rate:,.0f}/s"]
    for name, colour in _COLOURS.items():
        parts += ["  ", (f"{ledger.verdicts[name]:,} {name}", colour)]
    parts += [
        f"  {len(ledger.alerts):,} alerts  {ledger.dead_letters.total():,} dead letters",
        f"  latency p50 {ledger.latency(0.5) * 1000:,.0f} ms",
        f" p99 {ledger.latency(0.99) * 1000:,.0f} ms",
    ]
    return Text.assemble(*parts)


def _table(highlights: list[SeenVerdict], alerts: set[str]) -> Table:
    """The newest verdicts that are not benign, newest first."""
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="dim")
    table.add_column("score", justify="right")
    for name in ("verdict", "alert", "client", "kind"):
        table.add_column(name)
    table.add_column("URL or host", ratio=1, no_wrap=True, overflow="ellipsis")
    for entry in highlights:
        table.add_row(
            "" if entry.score is None else f"{entry.score:.4f}",
            Text(entry.verdict, style=_COLOURS[entry.verdict]),
            "ALERT" if entry.id in alerts else "",
            # Text, not markup: rich must not interpret the content of a log.
            Text(entry.client or ""),
            entry.kind,
            Text(entry.canonical),
        )
    return table
