"""The examples that help pages and Markdown files give, as lines for a shell.

A help page's examples are its paragraphs marked ``\\b``, which click shows as they are: every line
there is a command. In Markdown every indented block is commands, unless ``SHOWN`` lists it.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from stream_detector.commands.group import group
from support.processes import ROOT
from trainer.cli import cli

__all__ = [
    "DETECTOR_PAGES",
    "HELP_PAGES",
    "MARKDOWN_FILES",
    "MODELS_PAGES",
    "SHOWN",
    "TRAINER_PAGES",
    "Block",
    "Section",
    "by_heading",
    "examples_of",
    "examples_to_run",
    "sections_of",
    "without_comment",
]

PROGRAMS: dict[str, click.Command] = {"stream-detector": group, "stream-trainer": cli}
MARKDOWN_FILES = (
    "README.md",
    "CONTRIBUTING.md",
    "deploy/night.md",
    "deploy/operations.md",
    "deploy/privacy.md",
    "deploy/security.md",
    "trainer/README.md",
)
"""All whose blocks are run; ``support.runbook`` reads the runbook."""

SHOWN = {
    "1795766400.123": "a log line, which test_readme_records.py reads",
    '{"id"': "the verdict of that line",
    '{"@timestamp"': "its alert",
    "# filebeat.yml": "a file, which test_readme_records.py reads",
    "# web.yml;": "a file, which tests/deploy/test_secured_scrape.py reads",
    "# prometheus.yml": "a file, which the same test reads",
    "up: detector, kafka, prometheus, trainer healthy": "what `make compose-test` prints",
    "Texts compared": "what `shadow report` prints",
    "input topic": "the way of a record",
}
"""How blocks of Markdown begin that are not commands, and what they are."""

_INDENT = "    "
_PYTHON = re.compile(r"(from \w+ import |import )")


def _pages(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            child = command.get_command(context, word)
            assert child is not None
            yield from _pages(f"{name} {word}", child)


HELP_PAGES = dict(page for name, command in PROGRAMS.items() for page in _pages(name, command))
"""Every command and group of both programs, by what a user types for it."""

MODELS_PAGES = [page for page in HELP_PAGES if page.startswith("stream-trainer models")]
DETECTOR_PAGES = [page for page in HELP_PAGES if page.startswith("stream-detector")]
TRAINER_PAGES = [page for page in HELP_PAGES if page not in {*MODELS_PAGES, *DETECTOR_PAGES}]
"""The pages in three parts, each for a file of tests: pytest-xdist shares out whole files."""


def examples_of(command: click.Command) -> list[str]:
    """The shell lines that the help page of ``command`` gives, in their order."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(command.help or ""))
    marked = (paragraph for paragraph in paragraphs if paragraph.startswith("\b\n"))
    return [line for paragraph in marked for line in _joined(paragraph.splitlines()[1:])]


def examples_to_run(page: str) -> list[str]:
    """The lines of a help page, without those of a first page that a command's page has too."""
    lines = examples_of(HELP_PAGES[page])
    if page not in PROGRAMS:
        return lines
    of_commands = {
        without_comment(line)
        for name, command in HELP_PAGES.items()
        if name not in PROGRAMS
        for line in examples_of(command)
    }
    return [line for line in lines if without_comment(line) not in of_commands]


def without_comment(line: str) -> str:
    """What of ``line`` is run."""
    return line.partition(" #")[0].rstrip()


class Block(NamedTuple):
    """An indented block of a Markdown file that is to be run."""

    lines: Sequence[str]
    """For a shell; of Python code one line that runs it."""


class Section(NamedTuple):
    """What stands below one heading of a Markdown file."""

    file: str
    heading: str
    blocks: Sequence[Block]


def sections_of(file: str) -> list[Section]:
    """The sections of a Markdown file of the repository that have commands."""
    sections: list[Section] = []
    for title, lines in by_heading((ROOT / file).read_text().splitlines()):
        blocks = [
            Block(_commands(block))
            for block in indented_blocks(lines)
            if not block[0].startswith(tuple(SHOWN))
        ]
        if blocks:
            sections.append(Section(file, title, blocks))
    return sections


def by_heading(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each heading of a Markdown text and the lines below it; first those above all headings."""
    title, body = "", []
    for line in lines:
        if re.match(r"#+ ", line):
            yield title, body
            title, body = line.lstrip("# "), []
        else:
            body.append(line)
    yield title, body


def indented_blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines that follow an empty one and are indented as code, without the indent."""
    block: list[str] = []
    after_empty = True
    for line in [*lines, "end"]:
        assert not line.startswith(("```", "~~~")), "blocks of commands are indented here"
        if (line.startswith(_INDENT) and (block or after_empty)) or (block and not line):
            block.append(line)
        elif block:
            yield textwrap.dedent("\n".join(block)).strip().splitlines()
            block = []
        after_empty = not line


def _is_python(block: Sequence[str]) -> bool:
    return bool(_PYTHON.match(block[0]))


def _commands(block: Sequence[str]) -> list[str]:
    if _is_python(block):
        code = "\n".join(block).strip()
        assert "'" not in code, "a quote that the shell line can't hold"
        return [f"python -u -c '{code}'"]
    return [line.removeprefix("$ ") for line in _joined(block)]


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """``lines``, with those that end in a backslash joined to the next."""
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return (line.strip() for line in text.splitlines() if line.strip())
