"""Sysmon's event 22 (a DNS query) as XML, as Windows' event log renders it.

https://learn.microsoft.com/sysinternals/downloads/sysmon#event-id-22-dnsevent-dns-query. The client
is the computer that wrote the event. Other events are ignored.

    <Event ...><System>...<EventID>22</EventID>...<Computer>pc7</Computer></System><EventData>
    <Data Name='UtcTime'>2026-01-02 03:04:05.678</Data><Data Name='QueryName'>a.example</Data>...
"""

import html
import re

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_EVENT = re.compile(r"<EventID[^>]{0,64}>22</EventID>")
_COMPUTER = re.compile(r"<Computer>([^<]{1,255})</Computer>")


def _data(text: str, name: str) -> str | None:
    for quote in "'\"":
        start = text.find(f"<Data Name={quote}{name}{quote}>")
        if start >= 0:
            value = text[text.index(">", start) + 1 :].partition("</Data>")[0]
            return html.unescape(value)
    return None


class SysmonXml(LineFormat):
    """One query an event."""

    name = "sysmon_xml"
    starts = re.compile(rb"<Event[ >]")

    def read(self, text: str) -> LineResult:
        """The name asked for, and the computer that asked."""
        name = _data(text, "QueryName") if _EVENT.search(text) else None
        if name is None:
            return Ignored("another event")
        computer = _COMPUTER.search(text)
        utc = _data(text, "UtcTime")
        return Parts(
            name=name,
            client=computer and html.unescape(computer[1]),
            time=utc and f"{utc[:19]} +0000",
        ).event()
