"""Every command of both programs has an example in its help, and every example works."""

import pytest
from click.testing import CliRunner

from support.documented import HELP_PAGES, PROGRAMS, examples_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]


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
    run_lines([examples_of(HELP_PAGES[page])], state="models")
