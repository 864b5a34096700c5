"""Access logs of AWS's Application, Classic and Network Load Balancers.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html:
the request line has the whole URL. A TLS listener of a Network Load Balancer logs the server name.

    https 2026-01-02T03:04:05.678901Z app/lb/50dc 10.0.0.9:5353 192.0.2.7:80 0.0 0.0 0.0 200 200 3 5
    "GET https://a.example:443/b HTTP/1.1" "curl/8" - - ...
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_LINE = re.compile(
    r"(?:(?:https?|h2|wss?|grpcs?) )?(\S+Z) \S+ (\S+) (?:[^\" ]+ ){6,10}\"((?:[^\"\\]|\\.)*+)\""
)
_REQUEST = re.compile(r"([A-Z_\-]+) (\S.*?)(?: (?:HTTP/[0-9.]+|-))? ?")
_TLS = re.compile(r"tls \S+ (\S+) \S+ \S+ (\S+) (?:\S+ ){11}(\S+)")


class AwsLoadBalancer(LineFormat):
    """Requests, and TLS connections with a server name."""

    name = "aws_load_balancer"
    starts = re.compile(
        rb"(?:(?:https?|h2|wss?|grpcs?) )?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z "
        rb"[A-Za-z0-9./\-]{1,160} \S{2,64}:[0-9]{1,5} (?:\S{2,64}:[0-9]{1,5}|-) [0-9.\-]+ |"
        rb"tls [0-9]\.[0-9] [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8} net/"
    )

    def read(self, text: str) -> LineResult:
        """The request's URL, or the server name."""
        if text.startswith("tls "):
            tls = _TLS.match(text)
            if tls is None:
                return Rejected(RejectReason.MALFORMED, "fewer fields than a log has")
            time, client, name = tls.groups()
            if name == "-":
                return Ignored("a connection without a server name")
            return Parts(host=name, client=client, time=time).event()
        match = _LINE.match(text)
        if match is None:
            return Rejected(RejectReason.MALFORMED, "fewer fields than a log has")
        time, client, line = match.groups()
        request = _REQUEST.fullmatch(line)
        if request is None or request[1] == "-":
            return Ignored("no HTTP request")
        return Parts(url=request[2], method=request[1], client=client, time=time).event()
