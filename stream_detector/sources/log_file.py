"""The lines of a log file, read as the worker reads records of one line each.

A file differs from records in its header lines (Zeek's TSV): they say the columns of all lines that
follow, until others come.
"""

from stream_detector.events import Rejected, RejectReason
from stream_detector.limits import RECORD_LINES_MAX
from stream_detector.sources.reading import (
    EventResult,
    JsonFields,
    Source,
    read_record,
    with_header,
)

__all__ = ["LogFile"]


class LogFile:
    """Reads one file from its first line to its last; a new file needs a new one of these."""

    def __init__(
        self,
        source: Source | None,
        *,
        line_bytes_max: int,
        json_fields: JsonFields | None = None,
    ) -> None:
        """As for ``read_record``; ``source`` is the format, None to find it line by line."""
        self._given = source
        self._json_fields = json_fields
        self._source = source
        self._line_bytes_max = line_bytes_max
        self._header: list[bytes] = []
        self._in_header = False

    def read(self, line: bytes) -> list[tuple[str, EventResult]]:
        """What the next line says, each with the name of its format; nothing of a blank one."""
        if not line.strip():
            return []
        if len(line) > self._line_bytes_max:
            detail = f"{len(line)} bytes; record_bytes_max is {self._line_bytes_max}"
            return [("", Rejected(RejectReason.TOO_LARGE, detail))]
        if line.startswith(b"#"):
            if not self._in_header:
                self._header = []
            self._header.append(line)
            self._source = with_header(self._given, self._header, self._source)
        self._in_header = line.startswith(b"#")
        return read_record(
            # What splits a line further (a lone CR, a form feed) may do so as often as in a record.
            line,
            source=self._source,
            lines_max=RECORD_LINES_MAX,
            json_fields=self._json_fields,
        )
