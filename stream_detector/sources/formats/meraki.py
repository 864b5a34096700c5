"""Cisco Meraki MX: ``urls``, and security events with a URL.

https://documentation.meraki.com/General_Administration/Monitoring_and_Reporting/
Syslog_Event_Types_and_Log_Samples: the time in seconds since the epoch, the device, the type. Of an
encrypted request the path is unknown: ``https://a.example/...``.

    1 1767323045.348 MX84 urls src=10.0.0.9:5353 dst=192.0.2.7:80 mac=.. request: GET http://a.example/
"""

import re

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts

_TYPES = (
    r"(?:urls|flows|firewall|ip_flow_start|ip_flow_end|security_event|ids-alerts|events|vpn_firewall|"
    r"cellular_firewall|bridge_anyconnect_client_vpn_firewall|airmarshal_events|"
    r"security_filtering_file_scanned|security_filtering_disposition_change)"
)
_LINE = re.compile(rf"(?:1 )?(?:([0-9]{{10}}\.[0-9]{{1,9}}) \S+ )?({_TYPES}) ")
_REQUEST = re.compile(r" request: ?([A-Z_]+) (\S+)")
_SOURCE = re.compile(r" src=(\S+)")
_UNKNOWN_PATH = "/..."


class Meraki(LineFormat):
    """Requests, and files and sites that were scanned or blocked; other types are ignored."""

    name = "meraki"
    starts = re.compile(
        (
            rf"(?:1 )?[0-9]{{10}}\.[0-9]{{1,9}} \S{{1,80}} {_TYPES} |"
            r"(?:urls|flows|ip_flow_start|ip_flow_end) src=|security_event [a-z_]+ "
        ).encode()
    )

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        line = _LINE.match(text)
        if line is None:
            return Ignored("a message of another type")
        time, kind = line.groups()
        if kind == "urls":
            request = _REQUEST.search(text)
            if request is None:
                return NO_TARGET
            source = _SOURCE.search(text)
            return Parts(
                url=request[2].removesuffix(_UNKNOWN_PATH),
                method=request[1],
                client=source[1] if source else None,
                time=time,
            ).event()
        pairs = pairs_of(text)
        event = Parts(
            url=plain(pairs.get("url")),
            client=plain(pairs.get("src") or pairs.get("client_ip")),
            time=time,
        ).event()
        return Ignored(f"a message of type {kind}") if isinstance(event, Rejected) else event
