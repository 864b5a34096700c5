"""Files of a report: ``report.md``, ``report.html``, ``report.json`` and ``plots/*.svg``."""

import html
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trainer.report.content import Block, Heading, Paragraph, Plot, Report, Table, content

__all__ = ["markdown", "page", "write_report"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
td, th { border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: left }
td { overflow-wrap: anywhere } figure { margin: 1rem 0 } figcaption { color: #555 }
"""


def write_report(folder: Path, report: Report, plots: Mapping[str, bytes]) -> None:
    """Write all files into ``folder``, which is made where it is not there.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, drawing in plots.items():
        (folder / "plots" / f"{_file_name(name)}.svg").write_bytes(drawing)
    blocks = content(report)
    (folder / "report.md").write_text(markdown(blocks, plots), encoding="utf-8")
    (folder / "report.html").write_text(page(report.title, blocks, plots), encoding="utf-8")
    (folder / "report.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    )


def markdown(blocks: list[Block], plots: Mapping[str, bytes]) -> str:
    """The report as Markdown with links to its plots."""
    shown = [_as_markdown(block) for block in blocks if _shown(block, plots)]
    return "\n\n".join(shown) + "\n"


def page(title: str, blocks: list[Block], plots: Mapping[str, bytes]) -> str:
    """The report as one HTML page that needs no other file."""
    body = "\n".join(_as_html(block, plots) for block in blocks if _shown(block, plots))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _shown(block: Block, plots: Mapping[str, bytes]) -> bool:
    return not isinstance(block, Plot) or block.name in plots


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return _escaped(text)
        case Plot(name, caption):
            return f"![{caption}](plots/{_file_name(name)}.svg)"
        case Table(rows):
            lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
            lines.insert(1, "|" + "---|" * len(rows[0]))
            return "\n".join(lines)


def _as_html(block: Block, plots: Mapping[str, bytes]) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Plot(name, caption):
            drawing = plots[name].decode()
            drawing = drawing[drawing.index("<svg") :]
            return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>"
        case Table(rows):
            head, *body = (
                "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)
                for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]
            )
            return (
                "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in (head, *body)) + "\n</table>"
            )


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    """Texts of rows are anybody's: nothing in them may be markup or a link."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)
