"""Tables on standard output: the one that every command prints."""

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence

_GAP = "  "
_TEXT_CHARACTERS_MIN = 20
"""If the margin leaves less room than this, lines become wider than the terminal."""


def table_lines(
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    indent: str = "",
    wraps: bool = False,
) -> Iterator[str]:
    """The lines of a table whose first row may be its heading.

    Columns are as wide as their widest cell; those numbered in ``right``, from 0, are aligned to
    the right. With ``wraps`` the last column of a table on a terminal continues below itself.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    margin = len(indent) + sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = (indent + _GAP.join(cells)).rstrip()
        if wraps:
            yield from wrapped(line[margin:], margin=line[:margin])
        else:
            yield line


def wrapped(text: str, *, margin: str) -> list[str]:
    """``text`` after ``margin``; on a terminal in lines of its width, with spaces for a margin.

    Elsewhere it is one line, so that ``grep`` and ``awk`` find it whole.
    """
    width = max(shutil.get_terminal_size().columns, len(margin) + _TEXT_CHARACTERS_MIN)
    if not sys.stdout.isatty() or len(margin) + len(text) <= width:
        return [margin + text]
    return textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=" " * len(margin),
        break_on_hyphens=False,
    )
