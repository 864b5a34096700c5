"""Every command of both programs has an example in its help, and every example works."""

import pytest
from click.testing import CliRunner

from support.documented import HELP_PAGES, PROGRAMS, examples_of, without_comment

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.mark.parametrize("page", HELP_PAGES)
def test_every_help_page_has_an_example_of_its_command(page: str) -> None:
    program, *words = page.split()
    examples = examples_of(HELP_PAGES[page])

    shown = CliRunner().invoke(PROGRAMS[program], [*words, "--help"], prog_name=program).output

    assert any(page in example for example in examples)
    joined = shown.replace("\\\n", "")
    assert all(" ".join(example.split()) in " ".join(joined.split()) for example in examples)


@pytest.mark.parametrize("page", HELP_PAGES)
def test_the_examples_of_a_help_page_work(page: str, run_lines) -> None:
    lines = examples_of(HELP_PAGES[page])
    if page in PROGRAMS:  # What the first page shows the pages of the commands mostly show too.
        lines = [line for line in lines if without_comment(line) not in of_commands()]

    run_lines([lines], state="models")


def of_commands() -> set[str]:
    """All lines of all pages but the first of each program."""
    pages = [command for page, command in HELP_PAGES.items() if page not in PROGRAMS]
    return {without_comment(line) for command in pages for line in examples_of(command)}
