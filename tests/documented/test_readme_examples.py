"""Run every command block of the Markdown files, section by section."""

from collections.abc import Iterator

import pytest

from support.documented import (
    HELP_PAGES,
    MARKDOWN_FILES,
    SHOWN,
    Block,
    Section,
    examples_of,
    indented_blocks,
    sections_of,
    without_comment,
)
from support.processes import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(3000)]

NOT_RUN = {
    "git clone": "the tests run in a checkout",
    "make demo": "tests/stream_detector/test_demo.py runs it",
    "make test": "it runs this test",
    "make check": "`make test` runs it",
    "make  ": "tests/documented/test_texts.py compares the targets with the Makefile",
    "make night": "it takes 18 minutes; tests/night/test_night.py tests its parts",
    "make sbom": "it fetches a second environment; tests/deploy/test_supply.py tests its parts",
    "make licences": "tests/deploy/test_supply.py runs it",
    "make audit": "it queries a service that CI may not reach",
    "pip install": "`make test` has installed the checkout",
    "docker compose": "`make compose-test` runs them, with Docker and as root",
    "kubectl apply": "there is no cluster; tests/deploy/test_kubernetes.py checks the manifests",
}
"""Beginnings of lines that this test does not run, and the reasons."""

ONCE = ("stream-trainer train", "stream-trainer retrain", "stream-trainer study")
"""Long commands: if a help page has the same line, it runs there, and its result is prepared."""

STATES = {
    "Run it on your Kafka": "nothing",
    "Retrain": "logs",
    "Retrain on labels": "logs",
    "Publish a model": "logs",
}
"""What Kafka has before a section, unless it has everything: see ``World``."""

HELP_LINES = {
    without_comment(line) for command in HELP_PAGES.values() for line in examples_of(command)
}
SECTIONS = [section for file in MARKDOWN_FILES for section in sections_of(file)]


def is_run(line: str) -> bool:
    if line.startswith(ONCE) and without_comment(line) in HELP_LINES:
        return False
    return not line.startswith(tuple(NOT_RUN))


def sections_to_run() -> Iterator[Section]:
    """The sections with the blocks to run; a repeated block runs once."""
    seen: set[tuple[str, ...]] = set()
    for section in SECTIONS:
        blocks = []
        for block in section.blocks:
            lines = tuple(filter(is_run, block.lines))
            without_comments = tuple(map(without_comment, lines))
            if lines and without_comments not in seen:
                seen.add(without_comments)
                blocks.append(Block(lines))
        if blocks:
            yield section._replace(blocks=blocks)


@pytest.mark.parametrize(
    "section", sections_to_run(), ids=lambda section: f"{section.file}: {section.heading}"
)
def test_the_commands_of_a_section_work(section: Section, run_lines) -> None:
    blocks = [block.lines for block in section.blocks]

    run_lines(blocks, state=STATES.get(section.heading, "models"))


def test_each_reason_not_to_run_a_line_applies_to_one() -> None:
    lines = [line for section in SECTIONS for block in section.blocks for line in block.lines]

    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)] == []


def test_each_block_that_is_no_command_exists() -> None:
    first = {
        block[0]
        for file in MARKDOWN_FILES
        for block in indented_blocks((ROOT / file).read_text().splitlines())
    }

    assert [start for start in SHOWN if not any(line.startswith(start) for line in first)] == []


def test_each_state_belongs_to_a_section() -> None:
    assert STATES.keys() <= {section.heading for section in SECTIONS}
