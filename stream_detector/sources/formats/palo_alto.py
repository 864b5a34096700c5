"""Palo Alto Networks' PAN-OS: THREAT (url, dns) and DECRYPTION logs as comma-separated columns.

https://docs.paloaltonetworks.com/pan-os/11-0/pan-os-admin/monitoring/use-syslog-for-monitoring/
syslog-field-descriptions/threat-log-fields: the columns are known by their place, later versions
append some. The URL comes without its scheme. Times are the firewall's own, without a zone, but
for the high-resolution time near the end (since 10.0).

    1,2026/01/02 03:04:05,0011,THREAT,url,2561,2026/01/02 03:04:05,10.0.0.9,192.0.2.7,...
"""

import re
from collections.abc import Sequence

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.delimited import columns_of
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts
from stream_detector.sources.url_syntax import names_target, starts_with_host

_TYPE, _SUBTYPE, _SOURCE, _APPLICATION, _SESSION = 3, 4, 7, 14, 22
_URL, _THREAT = 31, 32
"""Of a THREAT log: URL, file name or domain; and the threat's name with its number."""
_METHOD = 63
"""Of a THREAT log since 8.1."""
_LATE_COLUMNS = 70
"""Before the high-resolution time in every version."""
_NAME_LENGTH, _SERVER_NAME = 58, 63
"""Of a DECRYPTION log."""
_HIGH_RESOLUTION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3,6}[+-][0-9:]{5}")
_DOMAIN_IN_THREAT = re.compile(r"[:(]([A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)+)\)?\([0-9]+\)")
"""``Backdoor:bad.example(109001001)``, ``Suspicious DNS Query (generic:bad.example)(4000000)``."""


class PaloAlto(LineFormat):
    """THREAT logs with a URL or a DNS name, and DECRYPTION logs with a server name."""

    name = "palo_alto"
    starts = re.compile(
        rb"[^,]{0,80}+,[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8},[^,]{0,40}+,[A-Z][A-Z0-9_\-]{2,20},"
    )

    def read(self, text: str) -> LineResult:
        """The event of one log."""
        kind = text.split(",", _TYPE + 1)[_TYPE]
        if kind not in {"THREAT", "DECRYPTION"}:
            return Ignored(f"a log of type {kind}")
        columns = columns_of(text)
        if columns is None or len(columns) <= _THREAT:
            return Rejected(RejectReason.MALFORMED, "fewer columns than a log has")
        if kind == "DECRYPTION":
            return _decryption(columns)
        return _threat(columns)


def _threat(columns: Sequence[str]) -> LineResult:
    subtype, url = columns[_SUBTYPE], columns[_URL]
    if subtype == "url":
        method = columns[_METHOD] if len(columns) > _METHOD else ""
        return _parts(columns, url=url, method=_tunnel(method)).event()
    if columns[_APPLICATION].startswith("dns"):
        name = url if starts_with_host(url) else _domain_of(columns[_THREAT])
        if name:
            return _parts(columns, name=name).event()
    elif "/" in url and names_target(url):
        return _parts(columns, url=url).event()
    return Ignored(f"a THREAT log of subtype {subtype[:20]}")


def _tunnel(method: str) -> str | None:
    return "CONNECT" if method.upper() == "CONNECT" else None


def _domain_of(threat: str) -> str | None:
    match = _DOMAIN_IN_THREAT.search(threat[:2048])
    return match[1] if match and names_target(match[1]) else None


def _decryption(columns: Sequence[str]) -> LineResult:
    # The log has the name's length as well: a check that the columns are where they should be.
    if len(columns) > _SERVER_NAME and columns[_NAME_LENGTH] == str(len(columns[_SERVER_NAME])):
        name = columns[_SERVER_NAME]
        if name:
            return _parts(columns, host=name).event()
    return Ignored("a DECRYPTION log without a server name")


def _parts(
    columns: Sequence[str],
    *,
    url: str | None = None,
    host: str | None = None,
    name: str | None = None,
    method: str | None = None,
) -> Parts:
    time = None
    for column in reversed(columns[_LATE_COLUMNS:]):
        if column[10:11] == "T" and _HIGH_RESOLUTION.fullmatch(column):
            time = column
            break
    return Parts(
        url=url,
        host=host,
        name=name,
        method=method,
        client=columns[_SOURCE],
        time=time,
        log_id=columns[_SESSION],
    )
