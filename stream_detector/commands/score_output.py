"""How ``score`` writes rows: a table for people, JSON lines for programs."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

import click
import msgspec

from stream_detector.bulk_scoring import LogRow, Row
from stream_detector.events import Kind, Thresholds
from stream_detector.terminal.printable import printable

__all__ = ["RowTable", "json_lines"]

_COLOURS = {"malicious": "red", "suspicious": "yellow", "benign": "green", "rejected": "magenta"}
_SHOWN_CHARACTERS_MAX = 200
"""Of a line that was rejected."""

_encoder = msgspec.json.Encoder()

# JSON lets them stand as they are, but to some readers, such as str.splitlines, they end a line.
_LINE_ENDS = {character.encode(): b"\\u%04x" % ord(character) for character in "\x85\u2028\u2029"}


def json_lines(rows: Sequence[Row]) -> bytes:
    """One JSON object a row, each on a line of its own."""
    text = _encoder.encode_lines(rows)
    for line_end, escaped in _LINE_ENDS.items():
        text = text.replace(line_end, escaped)
    return text


class RowTable:
    """Rows as aligned text, coloured on a terminal; the head comes with the first block.

    It says where verdicts change, which differs from kind to kind.
    """

    def __init__(self, thresholds: Mapping[Kind, Thresholds], *, of_logs: bool) -> None:
        """``of_logs``: rows are of log lines, and have their number."""
        self._thresholds = thresholds
        self._of_logs = of_logs
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and not os.environ.get("NO_COLOR")
        self._has_head = False

    def lines(self, rows: Sequence[Row]) -> bytes:
        """The text of a block."""
        lines = list(map(self._line, rows))
        if lines and not self._has_head:
            lines[:0] = self._head()
            self._has_head = True
        return "".join(f"{line}\n" for line in lines).encode()

    def _head(self) -> list[str]:
        """A line of thresholds a kind, which 80 columns hold, and the names of the columns."""
        thresholds = [
            f"# {kind}: suspicious from {of_kind.suspicious:.4f}, malicious from "
            f"{of_kind.malicious:.4f}"
            for kind, of_kind in self._thresholds.items()
        ]
        number = f"  {'line':>8}" if self._of_logs else ""
        return [
            *thresholds,
            f"{'score':>6}  {'verdict':<10}  {'kind':<4}{number}  canonical form",
        ]

    def _line(self, row: Row) -> str:
        verdict = row.verdict or "rejected"
        score = "-"
        if row.score is not None:
            score = f"{row.score:.4f}"
        elif row.verdict is not None:
            score = "list"
        number, why = "", f"{row.rejected}"
        if isinstance(row, LogRow):
            number = f"  {row.line:>8}"
            why += f" ({row.detail})"
        if row.rejected is None:
            text = row.canonical or ""
        else:
            # Escaped: what is no URL may be made to play with the terminal.
            text = printable(f"{why}: ") + ascii(row.input[:_SHOWN_CHARACTERS_MAX])
        line = f"{score:>6}  {verdict:<10}  {row.kind or '-':<4}{number}  {text}"
        line = self._fitted(line)
        return click.style(line, fg=_COLOURS[verdict]) if self._is_coloured else line

    def _fitted(self, line: str) -> str:
        """``line``, cut to the terminal's width where there is one."""
        width = shutil.get_terminal_size().columns if self._is_terminal else len(line)
        return line if len(line) <= width else line[: width - 3] + "..."
