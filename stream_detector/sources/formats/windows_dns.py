"""The debug log of Microsoft's DNS server.

https://learn.microsoft.com/windows-server/networking/dns/dns-logging-and-diagnostics: one packet a
line, the name with each label's length: ``(1)a(7)example(0)``. Times are local, in the country's
form, so there is none. Queries that were received are events; replies, and the server's own
queries, are ignored.

    1/2/2026 3:04:05 AM 0E70 PACKET  000000C8 UDP Rcv 10.0.0.9  5b47   Q [0001 D NOERROR] A (1)a..
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_PACKET = re.compile(
    r"PACKET +[0-9A-Fa-f]+ (?:UDP|TCP) (Rcv|Snd) (\S+) +[0-9A-Fa-f]+ +(R )?([A-Z?]) "
    r"\[[^\]]*\] +\S+ +(\(.*)"
)
_LENGTH = re.compile(r"\(([0-9]{1,2})\)")


class WindowsDns(LineFormat):
    """Packets of context ``PACKET``; events of the server are ignored."""

    name = "windows_dns"
    starts = re.compile(
        rb"[0-9]{1,4}[/.\-] ?[0-9]{1,2}[/.\-] ?[0-9]{2,4}\.? "
        rb"[0-9]{1,2}[:.][0-9]{2}[:.][0-9]{2} (?:[AaPp]\.?[Mm]\.? )?[0-9A-F]{3,5} "
        rb"(?:PACKET|EVENT|DSPOLL|INIT|LOOKUP|RECURSE|REMOTE|TASK)"
    )

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        start = text.find("PACKET ", 0, 60)
        match = _PACKET.match(text, start) if start >= 0 else None
        if match is None:
            return Ignored("not a packet with a question")
        direction, client, reply, opcode, question = match.groups()
        if direction != "Rcv" or reply or opcode != "Q":
            return Ignored("a reply, or a query of the server's own")
        name = _name(question)
        if name is None:
            return Rejected(RejectReason.MALFORMED, "a name whose labels have not their lengths")
        return Parts(name=name, client=client).event()


def _name(question: str) -> str | None:
    """``a.example`` of ``(1)a(7)example(0)``."""
    labels: list[str] = []
    place = 0
    while (match := _LENGTH.match(question, place)) is not None:
        length = int(match[1])
        if not length:
            return ".".join(labels) or "."
        place = match.end() + length
        labels.append(question[match.end() : place])
    return None
