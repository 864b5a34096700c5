"""Durations on the command line."""

from datetime import timedelta

import click
import pytest

from stream_detector.terminal.durations import DURATION, written


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
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match="such as 24h"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize("text", ["9999999999w", "3651d", "1" + "0" * 400 + "s"])
def test_more_than_ten_years_is_refused(text):
    with pytest.raises(click.BadParameter, match="is too long"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("24h", "24 hours"),
        ("1d", "24 hours"),
        ("48h", "2 days"),
        ("1w", "7 days"),
        ("36h", "36 hours"),
        ("1.5h", "90 minutes"),
        ("60m", "1 hour"),
        ("61s", "61 seconds"),
        ("0.5s", "0.5 seconds"),
        ("1234567s", "1,234,567 seconds"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(text, words):
    assert written(DURATION.convert(text, None, None)) == words
