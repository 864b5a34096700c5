"""Query logs in text of further DNS servers: PowerDNS, CoreDNS, Knot Resolver.

- PowerDNS Recursor (``quiet=no``): ``[1] question for 'a.example|A' from 10.0.0.9:5353``, and
  Authoritative (``log-dns-queries``): ``Remote 10.0.0.9 wants 'a.example|A', do = 0, ...``,
  https://doc.powerdns.com/
- CoreDNS (plugin ``log``): ``[INFO] 10.0.0.9:5353 - 7 "A IN a.example. udp 41 false 4096" ...``,
  https://coredns.io/plugins/log/
- Knot Resolver (a request's plan): ``[plan  ][00000.00]   plan 'a.example.' type 'A'``,
  https://knot-resolver.readthedocs.io/
"""

import re

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_ANY_TIME = r"(?:[A-Z][a-z]{2} [0-9 ]{2} [0-9:]{8} |([0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,26}) )?"


class PowerDns(LineFormat):
    """Questions of the Recursor and queries of the Authoritative Server."""

    name = "powerdns"
    starts = re.compile(
        rb"(?:[A-Z][a-z]{2} [0-9 ]{2} [0-9:]{8} |[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,26} )?"
        rb"(?:(?:\[[0-9]{1,10}\] )?(?:[0-9]{1,10} )?\[[0-9/]{1,20}\] "
        rb"(?:question for|answer to question) '|"
        rb"Remote \S{2,80} wants ')"
    )
    _question = re.compile(
        _ANY_TIME + r"[\[\]0-9/ ]{1,60}question for '(.+)\|[A-Z0-9]+' from (\S+)"
    )
    _remote = re.compile(_ANY_TIME + r"Remote (\S+) wants '(.+?)\|[A-Z0-9]+'")

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        match = self._question.match(text)
        if match is not None:
            return Parts(name=match[2], client=match[3], time=match[1]).event()
        match = self._remote.match(text)
        if match is not None:
            return Parts(name=match[3], client=match[2].split("<-")[0], time=match[1]).event()
        return Ignored("not a query")


class CoreDns(LineFormat):
    """The lines of the plugin ``log``; errors are ignored."""

    name = "coredns"
    _START = (
        r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,26}) )?"
        r"(?:\[(?:INFO|ERROR|WARNING|DEBUG|FATAL)\] )?"
    )
    _QUERY = r"\[?([0-9A-Fa-f:.%]{2,60})\]?:[0-9]{1,5} - (?:([0-9]{1,10})|\[([^\]]{10,40})\]) \""
    starts = re.compile(
        rb"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,26} )?"
        rb"(?:\[(?:INFO|ERROR|WARNING|DEBUG|FATAL)\] )?"
        rb"(?:plugin/|\[?[0-9A-Fa-f:.%]{2,60}\]?:[0-9]{1,5} - "
        rb"(?:[0-9]{1,10}|\[[^\]]{10,40}\]) \"[A-Z0-9]{1,10} (?:IN|CH|HS|ANY) )"
    )
    _query = re.compile(
        _START + _QUERY + r"[A-Z0-9]{1,10} (?:IN|ANY) (.+?) (?:udp|tcp|tls|https|grpc|quic)\S* "
    )

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        match = self._query.match(text)
        if match is None:
            return Ignored("not a query")
        time, client, _, clf_time, name = match.groups()
        return Parts(name=name, client=client, time=time or clf_time).event()


class KnotResolver(LineFormat):
    """Queries of a request's plan; the log has no client beside them."""

    name = "knot_resolver"
    starts = re.compile(rb"\[[a-z_]{2,10} *\]\[[0-9.]{3,20}\] ")
    _plan = re.compile(r"\[plan *\]\[[0-9]+\.00\] +plan '(.+?)' type '[A-Z0-9]+'")

    def read(self, text: str) -> LineResult:
        """The name that a client asked for, not those that the resolver asks on its behalf."""
        match = self._plan.match(text)
        return Ignored("not a query") if match is None else Parts(name=match[1]).event()
