"""Squid's native access.log.

``time elapsed client result/status bytes method URL user hierarchy/peer type``, by
https://wiki.squid-cache.org/Features/LogFormat#squid-native-accesslog-format-in-detail
Cisco's WSA and e2guardian write the same, with ``tunnel://host:443/`` for a tunnel, a status of
``/0`` and a method of ``-``.
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.http_requests import connect_target
from stream_detector.sources.times import to_time

__all__ = ["Squid"]

_LOOKS_LIKE = re.compile(rb"[0-9]{9,11}\.[0-9]{3} +[0-9-]+ \S+ [A-Z_]+/[0-9]{1,3} ")
_LINE = re.compile(
    r"([0-9]{9,11}(?:\.[0-9]+)?) +[0-9-]+ +([^ ]+) +[A-Z_]+/[0-9]{1,3} +[0-9-]+ +"
    r"([A-Za-z][A-Za-z_\-]*|-) +([^ ]+)(?: +[^ ]+(?: +([^ ]+))?)?"
)
"""Up to the hierarchy code, which a line that was cut may lack."""
_HIERARCHY = re.compile(
    r"(?:TIMEOUT_)?(?:HIER_[A-Z_]+|NONE|DIRECT|CARP|PINNED|ORIGINAL_DST|"
    r"[A-Z_]+_(?:DIRECT|DST|FAIL|FASTEST|HIT|MISS|PARENT|POOL))/\S*"
)
"""The codes of the field after the user, where a URL with spaces ends:
https://wiki.squid-cache.org/SquidFaq/SquidLogs#hierarchy-codes"""
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
        if not isinstance(text, str):
            return text
        match = _LINE.match(text)
        if match is None:
            return Rejected(
                RejectReason.MALFORMED,
                "not Squid's native format (time elapsed client code/status bytes method URL ...): "
                "set `access_log ... logformat=squid`",
            )
        time, client, method, url, code = match.groups()
        if code is not None and code[:5] != "HIER_" and not _follows_url(code, text, match.end()):
            url = _url_with_spaces(text[match.start(4) :].split())
        return _result(time, client, method, url)


def _result(time: str, client: str, method: str, url: str | None) -> LineResult:
    if url is None:
        return Rejected(RejectReason.MALFORMED, "the URL has spaces, and its end is not clear")
    if url == "-" or url.startswith(_NO_REQUEST):
        return Ignored("no request for a URL")
    if method == "CONNECT" or url.startswith("tunnel://"):
        host = connect_target(url)
        if host is not None:
            return UrlEvent("host", host, client, to_time(time), None)
    if url[0] == "/":
        return Rejected(RejectReason.NO_URL, "a path without a host")
    return UrlEvent("url", url, client, to_time(time), None)


def _follows_url(word: str, text: str, end: int) -> bool:
    """Is ``word``, which ends at ``end`` of ``text``, in the place of the hierarchy code?"""
    if word == "-":  # A line may have no code at all.
        return _HIERARCHY.search(text, end) is None
    return _HIERARCHY.fullmatch(word) is not None


def _url_with_spaces(words: list[str]) -> str | None:
    """All words up to the user and the hierarchy code; None where there is none, or several."""
    codes = [place for place, word in enumerate(words) if _HIERARCHY.fullmatch(word)]
    return " ".join(words[: codes[0] - 1]) if len(codes) == 1 and codes[0] > 1 else None
