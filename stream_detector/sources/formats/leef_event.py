"""LEEF of any product: QRadar's form of Palo Alto, Zscaler, Check Point, Forcepoint, and others.

Attributes by https://www.ibm.com/docs/en/dsm?topic=overview-predefined-leef-event-attributes and by
each product's own template; ``devTime`` needs a zone or an epoch to be a time.

    LEEF:1.0|Example|Proxy|1.0|7|devTime=1767323045000<tab>src=10.0.0.9<tab>url=http://a.example/b
"""

import re

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.leef import LeefEvent, read_leef
from stream_detector.sources.field_names import named_parts
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts
from stream_detector.sources.url_syntax import names_target, starts_with_host

_QUOTED = re.compile(r'"(.*)"')


class Leef(LineFormat):
    """Events without any target are ignored: most LEEF events are about something else."""

    name = "leef"
    starts = re.compile(rb"LEEF: ?[0-9]{1,2}(?:\.[0-9])?\|")

    def read(self, text: str) -> LineResult:
        """The event's URL, host or name."""
        event = read_leef(text)
        if event is None:
            return Rejected(RejectReason.MALFORMED, "LEEF with fewer than five header fields")
        parts = _palo_alto(event) if "Miscellaneous" in event else None
        if parts is None:
            parts = named_parts(event)
        if parts.name is None and parts.url is None and parts.host is None:
            return Ignored(f"a LEEF event of {event.product[:40]} without URL or host")
        if parts.url and parts.url[0] == '"' and (quoted := _QUOTED.fullmatch(parts.url)):
            parts.url = quoted[1]
        parts.client = event.get("src") or parts.client
        return parts.event()


def _palo_alto(event: LeefEvent) -> Parts | None:
    """Its custom template: the URL or domain is in ``Miscellaneous``, by ``Subtype``."""
    value = event["Miscellaneous"].strip('"')
    subtype = event.get("Subtype") or event.get("subtype") or ""
    application = event.get("Application") or ""
    parts = named_parts(event)
    if parts.url is not None:
        return parts
    if subtype == "url":
        parts.url = value
    elif application.startswith("dns") and starts_with_host(value):
        parts.name = value
    elif "/" in value and names_target(value):
        parts.url = value
    else:
        return None
    return parts
