"""Cisco Umbrella's DNS and proxy logs, as its S3 bucket has them: quoted CSV, times in UTC.

https://docs.umbrella.com/deployment-umbrella/docs/dns-log-formats and .../proxy-log-formats: time,
identity, identities, internal and external address; then of DNS action, query type, response,
domain; of the proxy destination, content type, verdict, URL.

    "2026-01-02 03:04:05","PC7","PC7,Site","10.0.0.9","192.0.2.1","Allowed","1 (A)","NOERROR",
    "a.example.","News"                                          (one line)
"""

import re

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.delimited import columns_of
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NOTHING, Parts

_ACTIONS = frozenset({"Allowed", "Blocked", "Proxied"})
_DNS_DOMAIN = 8
_PROXY_URL = 8


class Umbrella(LineFormat):
    """One query or request a line."""

    name = "umbrella"
    starts = re.compile(
        rb'"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}","[^"]{0,512}","[^"]{0,4096}",'
        rb'"[0-9A-Fa-f:.]{0,45}","[0-9A-Fa-f:.]{0,45}","'
    )

    def read(self, text: str) -> LineResult:
        """The domain asked for, or the URL."""
        values = columns_of(text) or []
        if len(values) <= _DNS_DOMAIN:
            return Rejected(RejectReason.MALFORMED, f"{len(values)} columns, too few for umbrella")
        inside, outside = values[3:5]
        client = outside if inside in NOTHING else inside
        time = f"{values[0]} +0000"
        if values[5] in _ACTIONS:
            return Parts(name=values[_DNS_DOMAIN], client=client, time=time).event()
        return Parts(url=values[_PROXY_URL], client=client, time=time).event()
