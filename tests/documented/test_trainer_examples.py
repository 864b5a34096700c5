"""Every example in the help pages of ``stream-trainer``, except ``models``, works."""

import pytest

from support.documented import TRAINER_PAGES, examples_to_run

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.mark.parametrize("page", TRAINER_PAGES)
def test_the_examples_of_a_help_page_work(page: str, run_lines) -> None:
    run_lines([examples_to_run(page)], state="models")
