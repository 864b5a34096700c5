"""Squid's native access.log.

``time elapsed client result/status bytes method URL user hierarchy/peer type``, by
https://wiki.squid-cache.org/Features/LogFormat#squid-native-accesslog-format-in-detail
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.times import to_time

__all__ = ["Squid"]

_LOOKS_LIKE = re.compile(rb"[0-9]{9,11}\.[0-9]{3} +[0-9-]+ \S+ [A-Z_]+/[0-9]{3} ")
_FIELDS = 7
_NO_REQUEST = ("error:", "cache_object:")
"""What Squid writes for a URL where it could read none, and of its own statistics."""


class Squid(Source):
    """One request a line; ``CONNECT host:port`` names a host, everything else a URL."""

    name = "squid"

    def recognises(self, line: bytes) -> bool:
        """Starts with the four fields before the size."""
        return _LOOKS_LIKE.match(line) is not None

    def parse(self, line: bytes) -> LineResult:
        """The request's URL or host."""
        text = decode_text(line)
        if isinstance(text, Rejected):
            return text
        fields = text.split(None, _FIELDS)
        if len(fields) < _FIELDS:
            return Rejected(RejectReason.MALFORMED, f"fewer than {_FIELDS} fields")
        time, _, client, _, _, method, url = fields[:_FIELDS]
        if url == "-" or url.startswith(_NO_REQUEST):
            return Ignored("no request for a URL")
        kind = "host" if method == "CONNECT" else "url"
        return UrlEvent(kind, url, client, to_time(time), None)  # type: ignore[arg-type]
