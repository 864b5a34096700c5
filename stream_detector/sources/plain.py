"""One URL or host name a line, nothing else on it."""

from stream_detector.canonical import kind_of
from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text

__all__ = ["Plain"]

_QUOTES = (b'"', b"'")
"""A quoted line is of JSON or CSV; read as a URL it would be another one."""


class Plain(Source):
    """Lists; whether a line is a URL or a host shows in its characters."""

    name = "plain"

    def recognises(self, line: bytes) -> bool:
        """One word that has a dot or a colon, as every full name, address or URL has."""
        return (
            (b"." in line or b":" in line)
            and len(line.split(None, 1)) == 1
            and not line.lstrip().startswith(_QUOTES)
        )

    def parse(self, line: bytes) -> LineResult:
        """The line as it is."""
        line = line.strip()
        if line.startswith(_QUOTES):
            return Rejected(RejectReason.MALFORMED, "a quotation mark before the URL or host")
        text = decode_text(line)
        if isinstance(text, Rejected):
            return text
        if len(text.split(None, 1)) != 1:
            return Rejected(RejectReason.MALFORMED, "more than one word on the line")
        return UrlEvent(kind_of(text), text)
