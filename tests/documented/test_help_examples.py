"""Every command of both programs has an example in its help; other files here run them."""

import pytest
from click.testing import CliRunner

from support.documented import (
    DETECTOR_PAGES,
    HELP_PAGES,
    MODELS_PAGES,
    PROGRAMS,
    TRAINER_PAGES,
    examples_of,
)


@pytest.mark.parametrize("page", HELP_PAGES)
def test_every_help_page_has_an_example_of_its_command(page: str) -> None:
    program, *words = page.split()
    examples = examples_of(HELP_PAGES[page])

    shown = CliRunner().invoke(PROGRAMS[program], [*words, "--help"], prog_name=program).output

    assert any(page in example for example in examples)
    joined = shown.replace("\\\n", "")
    assert all(" ".join(example.split()) in " ".join(joined.split()) for example in examples)


def test_each_page_belongs_to_one_file() -> None:
    assert sorted([*DETECTOR_PAGES, *TRAINER_PAGES, *MODELS_PAGES]) == sorted(HELP_PAGES)
