"""WatchGuard Firebox: traffic logs of the HTTP, HTTPS and DNS proxies.

https://www.watchguard.com/help/docs/fireware/12/en-US/log_catalog/ (Log Catalog): ``msg_id="..."``,
then disposition, interfaces, protocol, source, destination and ports, then pairs. Serial number,
time and process may stand before. Times have no zone.

    msg_id="1AFF-0024" Allow 1-Trusted 0-External tcp 10.0.0.9 192.0.2.7 5353 80
    msg="HTTP request" proxy_act="HTTP-Client" op="GET" dstname="a.example" arg="/b" (HTTP-proxy-00)
"""

import re

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_CLIENT = re.compile(
    r" (?:tcp|udp|[0-9]{1,3}) (?:[0-9]{1,3} [0-9]{1,3} )?([0-9A-Fa-f:.]{2,45}) [0-9A-Fa-f:.]{2,45} "
)


class WatchGuard(LineFormat):
    """Requests, server names and DNS questions; other messages are ignored."""

    name = "watchguard"
    starts = re.compile(
        rb"(?:[0-9A-Z]{8,20} )?(?:\([0-9T:.\-]{19,32}\) )?"
        rb'(?:[a-z_\-]{2,32}(?:\[[0-9]{1,10}\])?: )?msg_id="[0-9A-F]{4}-[0-9A-F]{4}"'
    )

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        pairs = pairs_of(text)
        path = pairs.get("arg") or pairs.get("path")
        client = _CLIENT.search(text, 0, 400)
        event = Parts(
            name=plain(pairs.get("question")),
            host=plain(pairs.get("dstname") or pairs.get("host") or pairs.get("sni")),
            path=plain(path),
            client=client[1] if client else plain(pairs.get("src_ip")),
        ).event()
        return Ignored("a message without a host name") if isinstance(event, Rejected) else event
