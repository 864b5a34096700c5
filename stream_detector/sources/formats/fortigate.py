"""FortiGate, FortiProxy and FortiWeb: web filter, DNS filter, application control, SSL, antivirus.

https://docs.fortinet.com/document/fortigate/7.6.0/fortios-log-message-reference: pairs from
``date=`` on, or from what FortiAnalyzer puts before it; quoted since FortiOS 5.6, separated by
commas with ``set format csv``. ``url`` is a path beside ``hostname``, or a whole URL.

    date=2026-01-02 time=03:04:05 devname="fw" type="utm" subtype="webfilter"
    eventtime=1767323045123456789 tz="+0100" srcip=10.0.0.9 hostname="a.example" url="/b"
"""

import re
from collections.abc import Mapping

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import delimited_pairs_of, pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts

_MUST_NAME_A_TARGET = frozenset({"webfilter", "dns", "urlfilter"})


class FortiGate(LineFormat):
    """Logs of type ``utm`` with a URL, host or DNS name; ``traffic`` and ``event`` are ignored."""

    name = "fortigate"
    starts = re.compile(
        rb'(?:(?:itime|itime_t|idseq|logver|timestamp|dtime|tz|devid|vd|bid|dvid)="?[^\s",]{1,64}+"?'
        rb"[ ,]+){0,8}+"
        rb'(?:date="?[0-9]{4}-[0-9]{2}-[0-9]{2}"?[ ,]+time="?[0-9: ]{8,9}"?[ ,]+)'
        rb'(?:tz="?[^\s",]{1,16}"?[ ,]+)?'
        rb"(?:devname|devid|device_id|dev_id|log_id|logid|logver|type|bid|vd|level|itime_t|eventtime)="
        rb"|logver=[0-9]{2,12} (?:timestamp|devname|devid|dtime)="
    )

    def read(self, text: str) -> LineResult:
        """The event of one log message."""
        comma = text.find(",", 0, 40)
        pairs = delimited_pairs_of(text, ",") if 0 < comma < 40 else pairs_of(text)
        name = pairs.get("qname")
        url = plain(pairs.get("url") or pairs.get("http_url"))
        host = plain(pairs.get("hostname") or pairs.get("http_host") or pairs.get("sni"))
        if not (name or url or host) or plain(pairs.get("type")) == "event":
            return _without_target(pairs)
        method = plain(pairs.get("httpmethod") or pairs.get("reqmethod"))
        event = Parts(
            url=url,
            host=host,
            name=plain(name),
            method="CONNECT" if method == "CONNECT" else None,
            scheme="https" if plain(pairs.get("service")) == "HTTPS" else None,
            client=plain(pairs.get("srcip") or pairs.get("src")),
            time=_time(pairs),
            log_id=plain(pairs.get("sessionid")),
        ).event()
        return _without_target(pairs) if isinstance(event, Rejected) else event


def _without_target(pairs: Mapping[str, str]) -> Rejected | Ignored:
    kind, subtype = plain(pairs.get("type")) or "", plain(pairs.get("subtype")) or ""
    if kind == "utm" and subtype in _MUST_NAME_A_TARGET:
        return NO_TARGET
    return Ignored(f"a log of type {kind[:20]} {subtype[:20]}")


def _time(pairs: Mapping[str, str]) -> str | None:
    """``eventtime``, in seconds or nanoseconds; else date and time, if there is a zone."""
    time = plain(pairs.get("eventtime"))
    if time:
        return time
    date, clock, zone = pairs.get("date"), pairs.get("time"), plain(pairs.get("tz"))
    return f"{plain(date)} {plain(clock)} {zone}" if date and clock and zone else None
