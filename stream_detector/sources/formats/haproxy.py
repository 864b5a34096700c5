"""HAProxy's HTTP and HTTPS log (``option httplog``, ``option httpslog``).

https://docs.haproxy.org/3.0/configuration.html#8.2.3: the request line names the host if it is
absolute (a forward proxy, HTTP/2); else a captured ``Host`` header does (``{a.example|curl}``), or
the server name of TLS in an HTTPS log. Times are local, without a zone.

    10.0.0.9:5353 [02/Jan/2026:03:04:05.678] web be/s1 0/0/1/2/3 200 56 - - ---- 1/1/0/0/0 0/0
    {a.example} "GET /b HTTP/1.1"
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts
from stream_detector.sources.url_syntax import names_target

_HEAD = r"(\S{1,64}):[0-9]{1,5} \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}\.[0-9]{3}\] \S+ \S+ "
_LINE = re.compile(
    _HEAD + r"(?:[A-Za-z]\S* )?[+\-0-9/]+ -?[0-9]+ \+?[0-9]+ \S+ \S+ \S{4} [0-9/+]+ [0-9/]+ "
    r'(?:\{(.*?)\} )?(?:\{.*?\} )?"(.*?)(?:"|$)(.*)'
)
_SERVER_NAME = re.compile(r" [\w\-]+/[\w\-]+/[\w\-]+/[\w\-]+/[01\-] ([A-Za-z0-9.\-]+)/(?:TLS|SSL)v")
_REQUEST = re.compile(r"([A-Z_\-]{2,24}) (\S.*?)(?: HTTP/[0-9.]+)?")


class HaProxy(LineFormat):
    """Requests; connections of TCP proxies are ignored, but for one with a server name."""

    name = "haproxy"
    starts = re.compile(
        rb"\S{1,64}:[0-9]{1,5} "
        rb"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}\.[0-9]{3}\] \S{1,128} \S{1,256}[ :]"
    )

    def read(self, text: str) -> LineResult:
        """The request's URL."""
        match = _LINE.match(text)
        if match is None:
            return Ignored("a connection, not a request")
        client, captured, line, rest = match.groups()
        request = _REQUEST.fullmatch(line)
        if request is None:
            return Ignored("no HTTP request")
        hosts = [word for word in (captured or "").split("|") if _is_host(word)]
        if not hosts and (name := _SERVER_NAME.match(rest)) is not None and _is_host(name[1]):
            hosts = [name[1]]
        method, target = request.groups()
        if not hosts and target[:1] == "/":
            return Rejected(
                RejectReason.NO_URL, "a path alone: add `capture request header Host len 256`"
            )
        return Parts(
            url=target, host=hosts[0] if len(hosts) == 1 else None, method=method, client=client
        ).event()


def _is_host(word: str) -> bool:
    return "." in word and "/" not in word and " " not in word and names_target(word)
