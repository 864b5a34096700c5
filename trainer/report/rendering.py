"""Files of a report: ``report.md``, ``report.html``, ``report.json`` and ``plots/*.svg``."""

import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from stream_detector.errors import StreamDetectorError
from trainer.files import make_private_folder, write_private
from trainer.measuring.evaluation import TOO_FEW
from trainer.report.content import Block, Heading, Paragraph, Plot, ReportHead, Table

_STYLE = resources.files("trainer").joinpath("report.css").read_text(encoding="ascii")

_NUMBER = re.compile(r"((?:1 in )?[-+]?[\d,]+(?:\.\d+)?%?)(?: (\(.*\)))?")
"""A number, and its interval or a remark on it."""
_NO_NUMBER = frozenset({"", TOO_FEW})
"""Cells that a column of numbers may have in the place of one."""
_TEXT_MIN = 40
"""Characters of a cell from which on its column is text, which may break anywhere."""
_CONTENTS_MIN = 4
"""Sections that make a table of contents worth its length."""


def write_report(
    folder: Path, report: ReportHead, blocks: Sequence[Block], plots: Mapping[str, bytes]
) -> None:
    """Write all files into ``folder``, readable only by their owner: they quote rows.

    Raises:
        StreamDetectorError: the folder cannot be made or written.
    """
    try:
        make_private_folder(folder)
        if plots:
            make_private_folder(folder / "plots")
        for name, drawing in plots.items():
            write_private(folder / "plots" / f"{_file_name(name)}.svg", drawing)
        write_private(folder / "report.md", markdown(blocks, plots))
        write_private(folder / "report.html", page(report.title, blocks, plots))
        encoded = msgspec.json.format(msgspec.json.encode(report), indent=2)
        write_private(folder / "report.json", encoded + b"\n")
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error


def markdown(blocks: Sequence[Block], plots: Mapping[str, bytes]) -> str:
    """The report as Markdown with links to its plots."""
    shown = [_as_markdown(block) for block in blocks if _shown(block, plots)]
    return "\n\n".join(shown) + "\n"


def page(title: str, blocks: Sequence[Block], plots: Mapping[str, bytes]) -> str:
    """The report as one HTML page that needs no other file."""
    shown = [block for block in blocks if _shown(block, plots)]
    parts = [_as_html(block, plots) for block in shown]
    sections = [block.text for block in shown if isinstance(block, Heading) and block.level == 2]
    if len(sections) >= _CONTENTS_MIN:
        first = next(place for place, block in enumerate(shown) if block == Heading(sections[0]))
        parts.insert(first, _contents(sections))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _contents(sections: list[str]) -> str:
    links = "\n".join(
        f'<li><a href="#{_anchor(section)}">{html.escape(section)}</a></li>' for section in sections
    )
    return f"<nav>\n<ul>\n{links}\n</ul>\n</nav>"


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _shown(block: Block, plots: Mapping[str, bytes]) -> bool:
    return not isinstance(block, Plot) or block.name in plots


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_line(text)}"
        case Paragraph(text):
            return _escaped(text)
        case Plot(name, caption):
            return f"![{_line(caption)}](plots/{_file_name(name)}.svg)"
        case Table(rows):
            lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
            rules = ("---:" if kind == "number" else "---" for kind in _kinds_of_columns(rows))
            lines.insert(1, f"|{'|'.join(rules)}|")
            return "\n".join(lines)


def _as_html(block: Block, plots: Mapping[str, bytes]) -> str:
    match block:
        case Heading(text, level):
            return f'<h{level} id="{_anchor(text)}">{html.escape(text)}</h{level}>'
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Plot(name, caption):
            drawing = plots[name].decode()
            drawing = drawing[drawing.index("<svg") :]
            return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>"
        case Table(rows):
            return _table(rows)


def _table(rows: list[list[str]]) -> str:
    """Numbers are aligned right and never broken; long texts break anywhere."""
    kinds = _kinds_of_columns(rows)
    lines = [
        "".join(
            f"<{tag}{kind and f' class={kind}'}>{_cell_as_html(cell)}</{tag}>"
            for cell, kind in zip(row, kinds, strict=True)
        )
        for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide">\n<table>\n{body}\n</table>\n</div>'


def _kinds_of_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each column's class in ``_STYLE``; the first row names the columns."""
    if len(rows) == 1:
        return [""] * len(rows[0])
    return [_kind_of_column(column) for column in zip(*rows[1:], strict=True)]


def _kind_of_column(cells: Sequence[str]) -> str:
    numbers = [cell for cell in cells if cell not in _NO_NUMBER]
    if numbers and all(map(_NUMBER.fullmatch, numbers)):
        return "number"
    return "text" if max(map(len, cells)) >= _TEXT_MIN else ""


def _cell_as_html(cell: str) -> str:
    """A line may break between a number and its interval, and within neither."""
    found = _NUMBER.fullmatch(cell)
    if found is None:
        return html.escape(cell)
    return " ".join(f"<span>{html.escape(part)}</span>" for part in found.groups() if part)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    """``text`` on one line: a line break would end a heading, caption or cell."""
    return " ".join(_escaped(text).splitlines())


def _escaped(text: str) -> str:
    """Attackers write the texts of rows: nothing in them may become markup or a link."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)
