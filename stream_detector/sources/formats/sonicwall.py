"""SonicWall's syslog: web site hits and denied web sites.

https://www.sonicwall.com/techdocs/pdf/sonicos-7-0-0-0-log_events_reference_guide.pdf: pairs from
``id=`` on; ``dstname`` is the host, ``arg`` the path with its query. A time has a zone if the
device is set to log in UTC.

    id=firewall sn=0006 time="2026-01-02 03:04:05 UTC" fw=192.0.2.1 pri=6 c=1024 m=97
    src=10.0.0.9:5353:X0 dst=192.0.2.7:443:X1 proto=tcp/https dstname=a.example arg=/b
"""

import re

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts

_WEB_MESSAGES = frozenset({"14", "16", "97"})
"""Web site denied, web site accessed, web site hit."""
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\]")


class SonicWall(LineFormat):
    """Messages with ``dstname`` are events; connections and the device's own are ignored."""

    name = "sonicwall"
    starts = re.compile(rb" {0,2}id=[^\s=]{1,64} {1,3}(?:sn|mgmtip|time)=")

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        pairs = pairs_of(text)
        host = plain(pairs.get("dstname"))
        if not host:
            if plain(pairs.get("m")) in _WEB_MESSAGES:
                return NO_TARGET
            return Ignored("a message about no web site")
        source = plain(pairs.get("src")) or ""
        address = _ADDRESS.match(source)
        time = plain(pairs.get("time")) or ""
        event = Parts(
            host=host,
            path=plain(pairs.get("arg")),
            scheme="https" if plain(pairs.get("proto")) == "tcp/https" else None,
            client=plain(pairs.get("srcV6")) or (address[0] if address else None),
            time=time if len(time) > 19 else None,
        ).event()
        return NO_TARGET if isinstance(event, Rejected) else event
