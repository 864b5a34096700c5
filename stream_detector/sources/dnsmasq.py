"""dnsmasq's query log (``log-queries``), with or without a syslog prefix.

``query[TYPE] NAME from CLIENT``, by https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
With ``extra`` or ``proto`` a serial number, the protocol and the client's port come before that.
In the foreground the daemon gives no process id. Syslog times lack year and zone, so events
have none.
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.dns_names import dns_event

__all__ = ["Dnsmasq"]

_LOOKS_LIKE = re.compile(
    rb"(?:^|[ /])dnsmasq(?:-dhcp|-tftp|-script)?(?:\[[0-9]+\])?: |^query\[\S{1,20}\] "
)
# Both groups are None where a query is announced, but its name or client is missing.
_QUERY = re.compile(
    r"(?:^|dnsmasq(?:\[[0-9]+\])?: )(?:[0-9]+ (?:(?:UDP|TCP) )?\S+ )?"
    r"query\[(?:[^\]\s]{1,20}\] (.+) from (\S+)\s*$)?"
)


class Dnsmasq(Source):
    """Queries are events; replies, forwards and what the daemon says of itself are ignored."""

    name = "dnsmasq"

    def recognises(self, line: bytes) -> bool:
        """Names the daemon, or starts with a query."""
        return _LOOKS_LIKE.search(line[:512]) is not None

    def parse(self, line: bytes) -> LineResult:
        """The name asked for, and who asked."""
        text = decode_text(line)
        if isinstance(text, Rejected):
            return text
        match = _QUERY.search(text)
        if match is None:
            return Ignored("not a query")
        if match[1] is None:
            return Rejected(RejectReason.MALFORMED, "a query without name or client")
        return dns_event(match[1], client=match[2], time=None, log_id=None)
