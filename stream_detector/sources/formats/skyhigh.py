"""The default access log of Skyhigh (McAfee) Secure Web Gateway.

https://docs.trellix.com/bundle/web-gateway: ``[time] "user" client status "request" "categories"
"reputation" "media type" size "agent" "virus" "block reason" "application"``.

    [02/Jan/2026:03:04:05 +0000] "anna" 10.0.0.9 200 "GET http://a.example/b HTTP/1.1" "News" ...
"""

import re

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_LINE = re.compile(
    r'\[([^\]]+)\] "[^"]*" (\S+) (?:[0-9]{1,3}|-) "([A-Z_]{2,24}) (\S.*?)(?: HTTP/[0-9.]+)?"(?: |$)'
)


class Skyhigh(LineFormat):
    """One request a line."""

    name = "skyhigh"
    starts = re.compile(
        rb"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\] "
        rb'"[^"]{0,512}" [0-9A-Fa-f:.]{2,45} (?:[0-9]{1,3}|-) "'
    )

    def read(self, text: str) -> LineResult:
        """The request's URL, or the host of a ``CONNECT``."""
        match = _LINE.match(text)
        if match is None:
            return Rejected(RejectReason.MALFORMED, "no request line behind the status")
        time, client, method, url = match.groups()
        return Parts(url=url, method=method, client=client, time=time).event()
