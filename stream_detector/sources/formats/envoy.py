"""Envoy's and Istio's default access log.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage: the
request line, then numbers, then in quotes the client's address as forwarded, user agent, request
id, ``:authority`` and the upstream's address. Istio appends addresses and the server name.

    [2026-01-02T03:04:05.678Z] "GET /b HTTP/1.1" 200 - 0 89 5 4 "10.0.0.9" "curl" "id" "a.example"
    "192.0.2.7:80"
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NOTHING, Parts

_HEAD = re.compile(r'\[([0-9T:.\-]+Z)\] "([^"]*)"')
_REQUEST = re.compile(r"([A-Z_\-]{2,24}) (\S.*?) (?:HTTP/[0-9.]+|-)")
_QUOTED = re.compile(r'\\.|"((?:[^"\\]|\\.)*+)"')
_OF_ISTIO = re.compile(r" \S+ \S+ \S+ (\S+) (\S+) \S+ *")
"""Cluster, local address, the server's address, the client's address, server name, route."""
_INTERNAL = "outbound_"
"""Istio's own server names between its proxies."""


class Envoy(LineFormat):
    """Requests, and TLS connections with a server name."""

    name = "envoy"
    starts = re.compile(rb'\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z\] "')

    def read(self, text: str) -> LineResult:
        """The request's URL; its host is ``:authority``."""
        head = _HEAD.match(text)
        if head is None:
            return Rejected(RejectReason.MALFORMED, "the request line does not end")
        time, line = head.groups()
        quoted = [match[1] for match in _QUOTED.finditer(text, head.end()) if match.lastindex]
        istio = _OF_ISTIO.fullmatch(text, text.rfind('"') + 1)
        address, server_name = istio.groups() if istio else (None, None)
        if len(quoted) < 5:
            return Rejected(RejectReason.NO_URL, "not the default format: no :authority")
        forwarded, authority = quoted[-5], quoted[-2]
        client = address if address and address not in NOTHING else forwarded.split(",")[0]
        request = _REQUEST.fullmatch(line)
        if request is not None:
            method, target = request.groups()
            if method == "CONNECT" and authority not in NOTHING:
                target = authority
            return Parts(
                url=target, host=authority, method=method, client=client, time=time
            ).event()
        if server_name and server_name not in NOTHING and not server_name.startswith(_INTERNAL):
            return Parts(host=server_name, client=client, time=time).event()
        return Ignored("a connection without a server name")
