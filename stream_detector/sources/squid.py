"""Squid's native access.log.

``time elapsed client result/status bytes method URL user hierarchy/peer type``, by
https://wiki.squid-cache.org/Features/LogFormat#squid-native-accesslog-format-in-detail
Cisco's WSA and e2guardian write the same, with ``tunnel://host:443/`` for a tunnel, status ``/0``
and method ``-``. A format that Elastic recommends has the client's port behind the client, more
sizes behind the size, and the version of HTTP behind the URL.
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.formats.access_log import AccessLog
from stream_detector.sources.targets import connect_target
from stream_detector.sources.times import to_time
from stream_detector.sources.url_syntax import is_absolute, starts_with_host

_LOOKS_LIKE = re.compile(rb"[0-9]{9,11}\.[0-9]{3} +[0-9-]+ \S+ (?:[0-9]{1,5} )?[A-Z_]+/[0-9]{1,3} ")
_WITH_PORT = re.compile(
    r"([0-9]{9,11}\.[0-9]{3}) +[0-9-]+ (\S+) [0-9]{1,5} [A-Z_]+/[0-9]{1,3}(?: [0-9-]+){1,8} "
    r"([A-Za-z][A-Za-z_\-]*|-) (\S+) (?:[0-9]\.[0-9]|-) \S+ \S+/"
)
"""Here a URL with a space is no match: what follows it is not where it should be."""
_LINE = re.compile(
    r"([0-9]{9,11}(?:\.[0-9]+)?) +[0-9-]+ +([^ ]+) +[A-Z_]+/[0-9]{1,3} +[0-9-]+ +"
    r"([A-Za-z][A-Za-z_\-]*|-) +([^ ]+)(?: +[^ ]+(?: +([^ ]+))?)?"
)
"""Up to the hierarchy code, which a truncated line may lack."""
_HIERARCHY = re.compile(
    r" (?:TIMEOUT_)?(?:HIER_[A-Z_]+|NONE|DIRECT|CARP|PINNED|ORIGINAL_DST|"
    r"[A-Z_]+_(?:DIRECT|DST|FAIL|FASTEST|HIT|MISS|PARENT|POOL))/"
)
"""The codes of the field after the user, where a URL with spaces ends:
https://wiki.squid-cache.org/SquidFaq/SquidLogs#hierarchy-codes"""
_URL_AND_USER = re.compile(r"""(.*\S) +(?:"[^"]*"|-) +|(.*/\S*) +[^ /]+ +""")
"""Words with slashes belong to the URL; the user is quoted, or one word."""
_COMBINED = AccessLog()
_USUAL = ("http://", "https://")
_NO_REQUEST = ("error:", "cache_object:")
"""Written by Squid in place of an unreadable URL, and for its own statistics."""
_OF_ITSELF = re.compile(
    r"[0-9.]+ +[0-9-]+ +[^ ]+ +TCP_MISS(?:_ABORTED)?/[0-9]+ +[0-9-]+ +[A-Z]+ +"
    r"https?://[^/ ]+/squid-internal-[^ ]* +[^ ]+ +HIER_NONE/"
)
"""Its own statistics and icons. Another server may have such a path too: then Squid fetches it
there (another hierarchy code) or has it in its cache (another result)."""


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
            return _of_other_logformat(text, line)
        time, client, method, url, code = match.groups()
        # In most lines only the type follows the code, and nothing can be mistaken for the URL.
        if code is not None and (code[:5] != "HIER_" or text.find(" ", match.end() + 1) >= 0):
            url = _url(text, match)
        if url is None:
            return Rejected(RejectReason.MALFORMED, "the URL has spaces, and its end is not clear")
        if "/squid-internal-" in url and _OF_ITSELF.match(text):
            return Ignored("a request to Squid itself")
        return _result(time, client, method, url)


def _of_other_logformat(text: str, line: bytes) -> LineResult:
    with_port = _WITH_PORT.match(text)
    if with_port is not None:
        return _result(*with_port.groups())
    if _COMBINED.recognises(line):  # Also common.
        return _COMBINED.parse(line)
    return Rejected(
        RejectReason.MALFORMED,
        "not Squid's native format (time elapsed client code/status bytes method URL ...): "
        "set `access_log ... logformat=squid`",
    )


def _url(text: str, match: re.Match[str]) -> str | None:
    """The URL; None if its end is not clear, because URL and user may both contain spaces."""
    codes = list(_HIERARCHY.finditer(text, match.end(4)))
    if not codes and match[5] == "-":  # A line may have no code at all.
        return match[4]
    if len(codes) != 1:
        return None
    if codes[0].start() + 1 == match.start(5):
        return match[4]
    url_and_user = _URL_AND_USER.fullmatch(text, match.start(4), codes[0].start() + 1)
    return url_and_user and (url_and_user[1] or url_and_user[2])


def _result(time: str, client: str, method: str, url: str) -> LineResult:
    if url.startswith(_USUAL) and method != "CONNECT":  # The fast path.
        return UrlEvent("url", url, client, to_time(time), None)
    if url == "-" or url.startswith(_NO_REQUEST):
        return Ignored("no request for a URL")
    if method == "CONNECT" or url.startswith("tunnel://"):
        host = connect_target(url)
        if host is not None:
            return UrlEvent("host", host, client, to_time(time), None)
    if url[0] == "/":
        return Rejected(RejectReason.NO_URL, "a path without a host")
    if not is_absolute(url) and not starts_with_host(url):
        return Rejected(RejectReason.NO_URL, "neither a URL nor a host name")
    return UrlEvent("url", url, client, to_time(time), None)
