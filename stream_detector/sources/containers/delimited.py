"""Columns separated by a comma or another character, by RFC 4180: a quoted value may hold the
separator, and a quote in it is doubled.
"""

import csv


def columns_of(text: str, delimiter: str = ",") -> list[str] | None:
    """The columns of one line; None if its quotes do not match, or for a value above 128 KiB."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader((text,), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
