"""Names that others write: those a person can read pass, those that hide something do not."""

import pytest

from stream_detector.name_rules import NAME_CHARACTERS_MAX, name_fault


@pytest.mark.parametrize("text", ["urls", "v 2", "Zürich", "模型", "a" * NAME_CHARACTERS_MAX])
def test_a_readable_name_has_no_fault(text):
    assert name_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("a" * (NAME_CHARACTERS_MAX + 1), "is longer than 200 characters"),
        ("urls\n", "invisible character"),
        ("ur\u202els", "invisible character"),
        ("urls\U000e0041", "invisible character"),
    ],
    ids=["empty", "blank", "long", "line break", "turned", "tag"],
)
def test_a_name_that_hides_something_has_one(text, fault):
    assert fault in name_fault(text)
