"""Durations on the command line."""

from datetime import timedelta

import click
import pytest

from trainer.durations import DURATION


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("0.5s", 0.5),
        ("30m", 1800),
        (" 24h ", 86_400),
        ("7d", 604_800),
        ("2w", 1209600),
    ],
)
def test_a_number_and_a_unit_are_a_duration(text, seconds):
    assert DURATION.convert(text, None, None) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "0h", "1 h", "1h30m", "1y", "1e3s", "infs"])
def test_anything_else_is_told_with_an_example(text):
    with pytest.raises(click.BadParameter, match="such as 24h"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize("text", ["9999999999w", "1" + "0" * 400 + "s"])
def test_one_too_long_is_told(text):
    with pytest.raises(click.BadParameter, match="is too long"):
        DURATION.convert(text, None, None)
