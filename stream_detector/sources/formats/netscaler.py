"""Citrix ADC (NetScaler): URL filter, application firewall, content inspection, DNS.

https://developer-docs.netscaler.com/en-us/netscaler-syslog-message-reference/: time, device, packet
engine, then module, message and ``Key value - Key value``. The form of the date is a setting, so
there is no time.

    01/02/2026:03:04:05 GMT ns 0-PPE-0 : URLFILT URLFILT_LOG 7 0 : Source 10.0.0.9 - Destination
    192.0.2.7 URL a.example/b - Category x
"""

import re

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_HEAD = r"[0-9/]{8,10}:[0-9:]{8} [A-Z]{0,5} ?\S{1,128} [0-9]{1,3}-PPE-[0-9]{1,3} : "
_MODULE = re.compile(_HEAD + r"(?:default )?([A-Z]{2,12}) (\S+) [0-9]+ [0-9]+ : {1,2}")
_URL = re.compile(r"\bURL (\S+)")
_DOMAIN = re.compile(r"\bDomain:? (\S+)")
_SOURCE = re.compile(r"\bSource ([0-9A-Fa-f.:]+)")
_OF_FIREWALL = re.compile(r"([0-9A-Fa-f.:]{2,45}) \S+-PPE\S* .{0,400}?(https?://\S+)")


class NetScaler(LineFormat):
    """Messages with a URL or a DNS name; all others are ignored."""

    name = "netscaler"
    starts = re.compile(_HEAD.encode())

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        head = _MODULE.match(text)
        if head is None:
            return Ignored("a message of another form")
        module, message = head.groups()
        if module == "APPFW":
            request = _OF_FIREWALL.match(text, head.end())
            if request is None:
                return Ignored(f"message {message[:40]}")
            return Parts(url=request[2], client=request[1]).event()
        source = _SOURCE.search(text, head.end(), head.end() + 300)
        client = source[1] if source else None
        if message == "DNS_QUERY" and (domain := _DOMAIN.search(text, head.end())) is not None:
            return Parts(name=domain[1], client=client).event()
        if module in {"URLFILT", "CI"} and (url := _URL.search(text, head.end())) is not None:
            event = Parts(url=url[1], client=client).event()
            if not isinstance(event, Rejected):
                return event
        return Ignored(f"message {message[:40]}")
