"""BIND 9's query log, and its response policy zones.

https://bind9.readthedocs.io/en/latest/reference.html#namedconf-statement-querylog:
``client @0x7f 10.0.0.9#5353 (a.example): view v: query: a.example IN A +E(0)K (192.0.2.53)``;
before 9.11 without the pointer, before 9.9 without the name in brackets. ``print-time``, category
and severity may stand before. Times are local, but for ``print-time iso8601-utc``.
"""

import re

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_TIME = (
    r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,20}) |[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:.]{8,12} )?"
)
_CATEGORY = (
    r"(?:[a-z][a-z0-9\-]{1,30}: )?(?:(?:info|notice|warning|error|critical|debug [0-9]+): )?"
)
_CLIENT = r"client (?:@0x[0-9a-f]+ )?(\S+)#[0-9]+(?:/key \S+)?(?: \((.+?)\))?: (?:view \S+: )?"
_START = re.compile(_TIME + _CATEGORY + _CLIENT)
_QUERY = re.compile(r"query: (.*?) (?:[A-Z]{2,6}|CLASS[0-9]+) [A-Z0-9\-]+ [+\-]")
_OF_CLIENT = re.compile(
    r"query(?: \(cache\))? '(.+?)/[A-Z0-9\-]+/[A-Z]+' denied|"
    r"(?:disabled )?rpz \S+ \S+ rewrite (.+?)(?:/[A-Z0-9\-]+/[A-Z]+)? via"
)


class Bind(LineFormat):
    """Queries, also denied and rewritten ones; other messages about clients are ignored."""

    name = "bind"
    starts = re.compile(
        (_TIME + _CATEGORY).replace("(", "(?:", 1).encode().replace(b"(?:?:", b"(?:")
        + rb"client (?:@0x[0-9a-f]{1,16} )?[0-9A-Fa-f:.%]{2,60}#[0-9]{1,5}[ :/]"
    )

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        start = _START.match(text)
        if start is None:
            return Ignored("not a query")
        time, client, name = start.groups()
        query = _QUERY.match(text, start.end()) or _OF_CLIENT.match(text, start.end())
        if query is None:
            return Ignored("not a query")
        asked = query[query.lastindex or 1]
        return Parts(name=asked or name, client=client, time=time).event()
