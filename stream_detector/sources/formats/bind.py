"""BIND 9's query log, and its response policy zones; Infoblox NIOS, which builds on it.

https://bind9.readthedocs.io/en/latest/reference.html#namedconf-statement-querylog:
``client @0x7f 10.0.0.9#5353 (a.example): view v: query: a.example IN A +E(0)K (192.0.2.53)``;
before 9.11 without the pointer, before 9.9 without the name in brackets. Infoblox logs the
response with it. Time (``print-time``), category and severity may stand before. Times are local,
but for ``print-time iso8601-utc``.
"""

import re

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_TIME = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,20} |[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:.]{8,12} )?"
_HEAD = (
    _TIME
    + r"(?:[a-z][a-z0-9\-]{1,30}: )?(?:(?:info|notice|warning|error|critical|debug [0-9]+): )?"
    + _TIME
)
_CLIENT = re.compile(
    _HEAD + r"client (?:@0x[0-9a-f]+ )?(\S+)#[0-9]+(?:/key \S+)?(?: (?:UDP|TCP))?(?: \((.+?)\))?: "
    r"(?:view \S+: )?(?:(?:UDP|TCP): )?"
)
_QUERY = re.compile(r"query: (.*?) (?:IN|ANY) [A-Z0-9\-]+ (?:[+\-]|response: )")
_OTHER_QUERY = re.compile(
    r"query(?: \(cache\))? '(?P<denied>.+?)/[A-Z0-9\-]+/[A-Z]+' denied|"
    r"query failed \([A-Z]+\) for (?P<failed>.+?)/[A-Z]+/[A-Z0-9\-]+ at |"
    r"(?:disabled )?rpz \S+ \S+ rewrite "
    r"(?P<policy>.+?)(?:/[A-Z0-9\-]+/[A-Z]+| \[[A-Z0-9]+\])? via |"
    r"rewriting query name '(?P<rewritten>.+?)' to "
)


class Bind(LineFormat):
    """Queries, also failed, denied and rewritten ones; other messages are ignored."""

    name = "bind"
    starts = re.compile(
        _HEAD.encode() + rb"client (?:@0x[0-9a-f]{1,16} )?[0-9A-Fa-f:.%]{2,60}#[0-9]{1,5}[ :/]"
    )

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        start = _CLIENT.match(text)
        if start is None:
            return Ignored("not a query")
        client, name = start.groups()
        query = _QUERY.match(text, start.end()) or _OTHER_QUERY.match(text, start.end())
        if query is None:
            return Ignored("not a query")
        time = text[: text.find(" ")] if text[4:5] == "-" else None
        return Parts(name=query[query.lastindex or 1] or name, client=client, time=time).event()
