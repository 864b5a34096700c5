"""A log file, read line by line as the worker reads records of one line.

Unlike a record, a file may have header lines (Zeek's TSV), which name the columns of all following
lines up to the next header.
"""

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import EventResult, Source
from stream_detector.sources.json_fields import JsonFields
from stream_detector.sources.reading import RecordReader
from stream_detector.sources.registry import with_header


class LogFile:
    """Reads one file from its first line to its last; a new file needs a new one of these."""

    def __init__(
        self,
        source: Source | None,
        *,
        line_bytes_max: int,
        json_fields: JsonFields | None = None,
    ) -> None:
        """``source`` is the format; None to find it line by line."""
        self._given = source
        self._source = source
        self._reader = RecordReader(source, json_fields=json_fields)
        self._line_bytes_max = line_bytes_max
        self._header: list[bytes] = []
        self._in_header = False

    def read(self, line: bytes) -> list[tuple[str, EventResult]]:
        """The results of the next line, each with the name of its format; none for a blank line."""
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
        return self._reader.read(line, self._source)
