"""Lists: one URL or host name per line, nothing else."""

from stream_detector.canonical import kind_of
from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.url_syntax import names_target


class Plain(Source):
    """Lists; the characters of a line show whether it is a URL or a host."""

    name = "plain"

    def recognises(self, line: bytes) -> bool:
        """One word that is a URL, an address, or a host name under a known top-level domain."""
        return self.parse_recognised(line) is not None

    def parse_recognised(self, line: bytes) -> LineResult | None:
        """The event of such a line; None for any other."""
        # Beyond ASCII there are other full stops, such as the Chinese and Japanese ones.
        if b"." not in line and b":" not in line and line.isascii():
            return None
        try:
            words = line.decode().split(None, 1)
        except UnicodeDecodeError:
            return None
        if len(words) != 1 or not names_target(words[0]):
            return None
        return UrlEvent(kind_of(words[0]), words[0])

    def parse(self, line: bytes) -> LineResult:
        """The URL or host name that is the whole line."""
        text = decode_text(line.strip())
        if not isinstance(text, str):
            return text
        if len(text.split(None, 1)) != 1:
            return Rejected(RejectReason.MALFORMED, "more than one word on the line")
        if not names_target(text, single_label=True):
            return Rejected(RejectReason.MALFORMED, "neither a URL nor a host name")
        return UrlEvent(kind_of(text), text)
