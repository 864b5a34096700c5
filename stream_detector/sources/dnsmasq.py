"""dnsmasq's query log (``log-queries``), also Pi-hole's, with or without a syslog header.

``query[TYPE] NAME from CLIENT``, by https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
With ``extra`` a serial number and the client's address and port come before that
(``12 10.0.0.9/5353 query[A] ...``), with ``proto`` the protocol before all of these
(``UDP 12 10.0.0.9/5353 query[A] ...``), see ``log_query`` in dnsmasq's ``cache.c``. In the
foreground the daemon gives no process id. Any header may stand before the daemon's name; events
have the time of one that gives year and zone (RFC 5424, ISO 8601).
"""

import re
from datetime import datetime

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.targets import dns_event
from stream_detector.sources.times import to_time

_DAEMON = r"(?:dnsmasq(?:-dhcp|-tftp|-script)?|pihole-FTL)"
# After the name: `[PID]: `, or RFC 5424's `PROCID MSGID STRUCTURED-DATA `.
_AFTER_NAME = r"(?:(?:\[[0-9]+\])?: | (?:[0-9]+|-) \S+ (?:-|\[[^\]]*\]) )"
_SERIAL = r"(?:(?:UDP|TCP) )?(?:[0-9]+ (?:(?:UDP|TCP) )?(?:\S+ )?)?"

_NAMES = (b"dnsmasq", b"pihole-FTL")
_HEAD = 512
"""Bytes of a line within which its header ends."""
_NAMED = _DAEMON + _AFTER_NAME
_LOOKS_LIKE = re.compile(_NAMED.encode())
_BARE_QUERY = re.compile(rf"{_SERIAL}query\[\S{{1,20}}\] ".encode())
# The first daemon's name ends the header: the text of an answer may contain another one, followed
# by a forged query. A container's log has two headers, the inner one after a time.
_ANY_TIME = r"(?:[A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+)"
_HEADER = re.compile(rf"{_NAMED}(?:{_ANY_TIME} (?:\S+ )?{_DAEMON}{_AFTER_NAME})?")
_QUERY = re.compile(rf"{_SERIAL}query\[[^\]\s]{{1,20}}\] (.+) from (\S+)\s*")
_BROKEN_QUERY = re.compile(rf"{_SERIAL}query\[")
# In every message " is " precedes text that an outsider chose.
_OTHER_QUERY = re.compile(r"(?:(?! is ).)* query\[\S+\] \S+ from \S+\s*")
"""Unknown words that a future version may write before a query."""
_TIME = re.compile(r"(?:<[0-9]{1,3}>(?:1 )?)?([0-9]{4}-[0-9]{2}-[0-9]{2}T\S+) ")


class Dnsmasq(Source):
    """Queries are events; replies, forwards and the daemon's own messages are ignored."""

    name = "dnsmasq"

    def recognises(self, line: bytes) -> bool:
        """Names the daemon, or starts with a query."""
        head = line[:_HEAD]
        if _NAMES[0] in head or _NAMES[1] in head:
            return _LOOKS_LIKE.search(head) is not None
        return b"query[" in head and _BARE_QUERY.match(head) is not None

    def parse(self, line: bytes) -> LineResult:
        """The name asked for, and who asked."""
        text = decode_text(line)
        if not isinstance(text, str):
            return text
        if "query[" not in text and self.recognises(line):
            return Ignored("not a query")
        start = 0
        match = _QUERY.fullmatch(text)
        if match is None and (header := _HEADER.search(text, 0, _HEAD)) is not None:
            start = header.end()
            match = _QUERY.fullmatch(text, start)
        if match is None:
            return _no_query(text, start)
        return dns_event(match[1], client=match[2], time=_time(text), log_id=None)


def _no_query(text: str, start: int) -> LineResult:
    """Why the message at ``start`` is no query; 0 means that it has no daemon's name."""
    if _BROKEN_QUERY.match(text, start):
        return Rejected(RejectReason.MALFORMED, "a query without name or client")
    if not start:
        return Rejected(RejectReason.MALFORMED, "no line of dnsmasq's")
    if _OTHER_QUERY.fullmatch(text, start):
        return Rejected(RejectReason.MALFORMED, "unknown words before a query")
    return Ignored("not a query")


def _time(text: str) -> datetime | None:
    """The time in the header, if it has year and zone."""
    match = _TIME.match(text) if text[:1] in "<2" else None
    return to_time(match[1]) if match else None
