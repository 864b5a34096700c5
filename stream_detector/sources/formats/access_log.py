"""Common and combined logs: of Apache, nginx and Traefik as forward proxies, and of Squid with
``logformat common`` or ``combined``.

https://httpd.apache.org/docs/current/logs.html#accesslog,
https://wiki.squid-cache.org/Features/LogFormat: only the request line may name the host, or the
virtual host in front (``vhost_combined``). A web server's own log has the path alone: no URL.

    10.0.0.9 - anna [02/Jan/2026:03:04:05 +0000] "GET http://a.example/b HTTP/1.1" 200 56
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_TIME = r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\]"
_LINE = re.compile(
    r"(\S{1,255}+) ([^\[]{1,512}+)\[([^\]]+)\] "
    r'"((?:[^"\\]|\\.)*+)"'
)
_ADDRESS = re.compile(
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?"
)
_VIRTUAL_HOST = re.compile(
    r"(?:[A-Za-z0-9_\-]{1,63}\.)+[A-Za-z][A-Za-z0-9\-]{1,62}(?::[0-9]{1,5})?"
)
"""Programs write other words before the client too, such as a level or a time."""
_METHOD = re.compile(r"[A-Za-z][A-Za-z_\-]{0,30}")
_PROTOCOL = re.compile(r"(?:HTTP|ICAP|FTP|RTSP)/[0-9.]{1,8}")
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
_NO_REQUEST = ("error:", "cache_object:", "NONE://")
"""Written by Squid in place of an unreadable URL, and for its own statistics."""


class AccessLog(LineFormat):
    """One request a line."""

    name = "access_log"
    starts = re.compile(
        rb"\S{1,255}+ (?:[^\[]{1,512}+)" + _TIME.encode() + rb' "(?![A-Z0-9]+ (?:IN|CH|HS|ANY) )'
    )

    def read(self, text: str) -> LineResult:
        """The request's URL, or the host of a ``CONNECT``."""
        match = _LINE.match(text)
        if match is None:
            return Rejected(RejectReason.MALFORMED, "the request line does not end")
        client, between, time, line = match.groups()
        method, _, target = line.partition(" ")
        if not _METHOD.fullmatch(method) or not target:
            return Ignored("no HTTP request")
        before, _, last = target.rpartition(" ")
        target = (before if _PROTOCOL.fullmatch(last) else target).strip()
        if target.startswith(_NO_REQUEST) or target == "*":
            return Ignored("no request for a URL")
        if "\\" in target:
            target = _ESCAPED.sub(r"%\1", target).replace('\\"', "%22")
        client, virtual_host = _client_and_host(client, between)
        return Parts(url=target, host=virtual_host, method=method, client=client, time=time).event()


def _client_and_host(first: str, between: str) -> tuple[str, str | None]:
    """Client and virtual host of what stands before the time: client, ident and user, with the
    virtual host before the client (or the clients that proxies name), or behind it.
    """
    second = between.split(" ", 1)[0]
    if first.endswith(","):  # Forwarded addresses, the client's first.
        return first[:-1], None
    if second == "-" or " - " not in between:
        return first, None
    if _ADDRESS.fullmatch(first):
        return first, second if _VIRTUAL_HOST.fullmatch(second) else None
    return second.strip(',"'), first if _VIRTUAL_HOST.fullmatch(first) else None
