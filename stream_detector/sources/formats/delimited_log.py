"""Columns separated by commas, tabs, semicolons or bars, which a header or the settings name.

The names tell what the columns are (``field_names``). Not in ``FORMATS``: no line shows by itself
that it is of this format.

    timestamp,client_ip,url
    2026-01-02T03:04:05Z,10.0.0.9,http://a.example/b
"""

import re
from collections.abc import Sequence

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.delimited import columns_of
from stream_detector.sources.field_names import HOST_OF_REQUEST, KNOWN_NAMES, named_parts
from stream_detector.sources.formats.line_format import LineFormat

_DELIMITERS = (",", "\t", ";", "|")
_IS_NAME = re.compile(r"#?[A-Za-z_@][\w .@()/\-]{0,63}").fullmatch


class DelimitedLog(LineFormat):
    """One request or query a line.

    Args:
        columns: their names, in order; those that mean nothing may have any name.
        delimiter: one character.
    """

    name = "delimited"
    starts = re.compile(rb"")

    def __init__(self, columns: Sequence[str], delimiter: str = ",") -> None:
        self._columns = tuple(columns)
        self._delimiter = delimiter

    def read(self, text: str) -> LineResult:
        """The event of one line."""
        values = columns_of(text, self._delimiter)
        if values is None or len(values) < len(self._columns):
            return Rejected(RejectReason.MALFORMED, "fewer columns than have names")
        if (values[0].replace(" ", "_"),) == self._columns[:1]:
            return Ignored("a header")
        fields = dict(zip(self._columns, values, strict=False))
        # JSON's host is a target where its whole meaning was given; so is a named column's.
        for name in HOST_OF_REQUEST:
            if name in fields:
                fields.setdefault("http_host", fields[name])
        return named_parts(fields).event()


def described_by(header: str) -> DelimitedLog | None:
    """The format of the lines after ``header``; None if it is no header that names a target."""
    header = header.removeprefix("\ufeff")
    for delimiter in _DELIMITERS:
        if delimiter not in header:
            continue
        names = columns_of(header, delimiter)
        if names is None or not all(map(_IS_NAME, names)):
            return None
        names = [name.lstrip("#").strip().replace(" ", "_") for name in names]
        known = KNOWN_NAMES & set(names)
        return DelimitedLog(names, delimiter) if len(known) > 1 else None
    return None
