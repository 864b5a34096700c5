"""dnsmasq's query log (``log-queries``), with or without a syslog header; Pi-hole's among them.

``query[TYPE] NAME from CLIENT``, by https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
With ``extra`` a serial number and the client's address and port come before that
(``12 10.0.0.9/5353 query[A] ...``), with ``proto`` the protocol before all of these
(``UDP 12 10.0.0.9/5353 query[A] ...``), see ``log_query`` in dnsmasq's ``cache.c``. In the
foreground the daemon gives no process id. Of headers, RFC 3164 (whose times lack year and zone,
so events have none), RFC 5424, and those with a full time.
"""

import re
from datetime import datetime

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.dns_names import dns_event
from stream_detector.sources.times import to_time

__all__ = ["Dnsmasq"]

_DAEMON = r"(?:dnsmasq(?:-dhcp|-tftp|-script)?|pihole-FTL)"
# After the name: `[PID]: `, or RFC 5424's `PROCID MSGID STRUCTURED-DATA `.
_AFTER_NAME = r"(?:(?:\[[0-9]+\])?: | (?:[0-9]+|-) \S+ (?:-|\[[^\]]*\]) )"
_SERIAL = r"(?:(?:UDP|TCP) )?(?:[0-9]+ (?:(?:UDP|TCP) )?(?:\S+ )?)?"

_HEADER_LENGTH_MAX = 512

_NAMES = (b"dnsmasq", b"pihole-FTL")
_LOOKS_LIKE = re.compile(rf"(?:^|[ />]){_DAEMON}{_AFTER_NAME}".encode())
_BARE_QUERY = re.compile(rf"{_SERIAL}query\[\S{{1,20}}\] ".encode())
# No header has a bracket: what a text in an answer has after one is no query.
_BEFORE_QUERY = re.compile(rf"(?:[^\[]*{_DAEMON}{_AFTER_NAME})?{_SERIAL}")
_QUERY = re.compile(r"query\[[^\]\s]{1,20}\] (.+) from (\S+)\s*")
_OTHER_HEADER = re.compile(
    rf"{_DAEMON}{_AFTER_NAME}(?!.{{0,80}}(?:reply|cached|config|validation|/\S+) )"
)
_OTHER_QUERY = re.compile(r" query\[\S+\] \S+ from \S+\s*$")
"""What the next version may write before a query; in answers a text may look like one."""
_TIME = re.compile(r"(?:<[0-9]{1,3}>(?:1 )?)?([0-9]{4}-[0-9]{2}-[0-9]{2}T\S+) ")


class Dnsmasq(Source):
    """Queries are events; replies, forwards and what the daemon says of itself are ignored."""

    name = "dnsmasq"

    def recognises(self, line: bytes) -> bool:
        """Names the daemon, or starts with a query."""
        head = line[:_HEADER_LENGTH_MAX]
        if _NAMES[0] in head or _NAMES[1] in head:
            return _LOOKS_LIKE.search(head) is not None
        return b"query[" in head and _BARE_QUERY.match(head) is not None

    def parse(self, line: bytes) -> LineResult:
        """The name asked for, and who asked."""
        text = decode_text(line)
        if not isinstance(text, str):
            return text
        start = text.find("query[")
        if start < 0 or not _BEFORE_QUERY.fullmatch(text, 0, start):
            if start >= 0 and _has_other_query(text):
                return Rejected(RejectReason.MALFORMED, "unknown words before a query")
            if start >= 0 or self.recognises(line):
                return Ignored("not a query")
            return Rejected(RejectReason.MALFORMED, "no line of dnsmasq's")
        match = _QUERY.fullmatch(text, start)
        if match is None:
            return Rejected(RejectReason.MALFORMED, "a query without name or client")
        return dns_event(match[1], client=match[2], time=_time(text), log_id=None)


def _has_other_query(text: str) -> bool:
    header = _OTHER_HEADER.search(text, 0, _HEADER_LENGTH_MAX)
    query = _OTHER_QUERY.search(text)
    return header is not None and query is not None and header.end() <= query.start()


def _time(text: str) -> datetime | None:
    """The time in the header, where it is a full one."""
    match = _TIME.match(text) if text[:1] in "<2" else None
    return to_time(match[1]) if match else None
