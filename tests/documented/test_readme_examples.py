"""Every command block of the Markdown files works as it stands, section by section."""

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
    "make test": "it is what runs this test",
    "make check": "`make test` runs it",
    "make  ": "tests/documented/test_texts.py holds the targets to the Makefile",
    "make night": "it plays for 18 minutes; tests/night/test_night.py holds its parts",
    "make sbom": "tests/deploy/test_supply.py holds its parts; it fetches a second environment",
    "make licences": "tests/deploy/test_supply.py runs it",
    "make audit": "it asks a service about vulnerabilities, which CI may not reach",
    "pip install": "`make test` has installed the checkout",
    "docker compose": "`make compose-test` runs them, with Docker and as root",
    "kubectl apply": "no cluster is here; tests/deploy/test_kubernetes.py checks what is applied",
}
"""How lines begin that are not run here, and why."""

ONCE = ("stream-trainer train", "stream-trainer retrain", "stream-trainer study")
"""Long commands: a line that a help page has too is run there, and what it makes is prepared."""

STATES = {
    "Run it on your Kafka": "nothing",
    "Retrain": "logs",
    "Retrain on labels": "logs",
    "Publish a model": "logs",
}
"""What Kafka holds before a section, where it is not all: see ``World``."""

HELP_LINES = {
    without_comment(line) for command in HELP_PAGES.values() for line in examples_of(command)
}
SECTIONS = [section for file in MARKDOWN_FILES for section in sections_of(file)]


def is_run(line: str) -> bool:
    if line.startswith(ONCE) and without_comment(line) in HELP_LINES:
        return False
    return not line.startswith(tuple(NOT_RUN))


def sections_to_run() -> Iterator[Section]:
    """Sections with the blocks that can be run here; one that comes a second time is run once."""
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


def test_what_is_not_run_is_still_there() -> None:
    lines = [line for section in SECTIONS for block in section.blocks for line in block.lines]

    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in lines)] == []


def test_what_is_no_command_is_still_there() -> None:
    first = {
        block[0]
        for file in MARKDOWN_FILES
        for block in indented_blocks((ROOT / file).read_text().splitlines())
    }

    assert [start for start in SHOWN if not any(line.startswith(start) for line in first)] == []


def test_state_is_said_of_sections_that_are_there() -> None:
    assert STATES.keys() <= {section.heading for section in SECTIONS}
