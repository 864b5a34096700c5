"""Cisco ASA and Firepower Threat Defense: accessed URLs, connection events, the botnet filter.

https://www.cisco.com/c/en/us/td/docs/security/asa/syslog/asa-syslog/ (304001, 304002, 338001 and
on, 716003), https://www.cisco.com/c/en/us/td/docs/security/firepower/Syslogs/ (430001 to 430005,
``Key: value, Key: value``; before them ``SFIMS:``). A URL that is a path alone names no host: the
address before it is that of the server.

    %ASA-5-304001: 10.0.0.9 Accessed URL 192.0.2.7:http://a.example/b
    %FTD-1-430003: SrcIP: 10.0.0.9, DstIP: 192.0.2.7, DNSQuery: a.example, URL: http://a.example/
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NOTHING, Parts

_MESSAGE = re.compile(r"[^%]{0,64}%[A-Z]+-(?:[A-Za-z_]+-)?[0-7]-([0-9]{6}):? +")
_TARGETS = {
    "304001": re.compile(
        r"(?P<client>\S+) Accessed (?:JAVA )?URL \S+?:(?P<url>(?:/|[A-Za-z][\w+.\-]*:/)\S.*|/)"
    ),
    "304002": re.compile(r"Access denied URL (?P<url>\S.*?) SRC (?P<client>\S+) DEST "),
    "338": re.compile(
        r".{0,120}? from [^\s:]{1,64}:(?P<client>[0-9A-Fa-f:.]{2,45})/"
        r".{0,300}? resolved from \S+ list: (?P<host>[^\s,]+)"
    ),
    "71600": re.compile(
        r".{0,300}?IP <(?P<client>[^>]{2,64})> WebVPN access \"[A-Z]+: (?P<url>[^\"]+)\""
    ),
}
"""By the number of the message, or its start."""
_ENDS = re.compile(r"\{[A-Za-z0-9]+\} (\S+):[0-9]+ -> ")
_NEXT_KEY = re.compile(r", (?=[A-Z][A-Za-z_]{1,40}(?: [A-Z][a-z]+){0,2}: )")


class CiscoFirewall(LineFormat):
    """Messages that tell of a URL or DNS name; all others are ignored."""

    name = "cisco_firewall"
    starts = re.compile(
        rb"(?:: )?%(?:ASA|FTD|PIX|FWSM|NGIPS)-(?:[A-Za-z_]{2,20}-)?[0-7]-[0-9]{6}|"
        rb"SFIMS: (?:\[|[A-Z][A-Za-z]+: )"
    )

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        if text.startswith("SFIMS:"):
            return _connection_event(text[7:])
        message = _MESSAGE.match(text)
        if message is None:
            return Rejected(RejectReason.MALFORMED, "a message without text")
        number, start = message[1], message.end()
        if number.startswith("43000"):
            return _connection_event(text[start:])
        pattern = _TARGETS.get(number) or _TARGETS.get(number[:5]) or _TARGETS.get(number[:3])
        target = pattern.match(text, start) if pattern else None
        if target is None:
            return Ignored(f"message {number}")
        parts = target.groupdict()
        client = _address(parts.pop("client"))
        return Parts(client=client, **parts).event()


def _address(text: str) -> str:
    """``10.0.0.9`` of ``anna@10.0.0.9`` and ``inside:10.0.0.9/5353``."""
    address = text.rpartition("@")[2].partition("(")[0].partition("/")[0]
    return address.partition(":")[2] if address.count(":") == 1 else address


def _initiator(text: str) -> str | None:
    """Of a message that ends in ``{TCP} 10.0.0.9:5353 -> 192.0.2.7:80``."""
    match = _ENDS.search(text, max(0, len(text) - 200))
    return match[1] if match else None


def _connection_event(text: str) -> LineResult:
    fields: dict[str, str] = {}
    for field in _NEXT_KEY.split(text):
        key, colon, value = field.partition(": ")
        if colon:
            fields.setdefault(key, value.strip())
    url = fields.get("URL")
    if not url or url in NOTHING:
        # A file event has the path alone, unless a proxy was asked for it.
        url = fields.get("URI") if "://" in fields.get("URI", "") else None
    event = Parts(
        url=url,
        host=fields.get("ReferencedHost") or fields.get("SSLServerName"),
        name=fields.get("DNSQuery"),
        client=fields.get("SrcIP") or _initiator(text),
        time=fields.get("FirstPacketSecond"),
        log_id=fields.get("ConnectionID"),
    ).event()
    return Ignored("a connection without a URL") if isinstance(event, Rejected) else event
