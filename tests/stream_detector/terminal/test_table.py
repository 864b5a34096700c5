import os
import sys

import pytest

from stream_detector.terminal.table import table_lines

ROWS = [
    ["check", "count", "what was found"],
    ["detection", "1,200", "as good as before, on all three of the samples"],
    ["lists", "7", ""],
]


def test_columns_line_up_and_no_line_ends_in_spaces() -> None:
    assert list(table_lines(ROWS, right={1})) == [
        "check      count  what was found",
        "detection  1,200  as good as before, on all three of the samples",
        "lists          7",
    ]


def test_no_rows_give_no_lines() -> None:
    assert list(table_lines([])) == []


def test_on_a_terminal_the_last_column_wraps_below_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((44, 24)))
    assert list(table_lines(ROWS[1:2], indent="  ", wraps=True)) == [
        "  detection  1,200  as good as before, on",
        "                    all three of the samples",
    ]
