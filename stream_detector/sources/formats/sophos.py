"""Sophos Firewall (XG, SFOS) and Sophos UTM: web and content filter, ATP, TLS inspection.

https://docs.sophos.com/nsg/sophos-firewall/21.0/Help/en-us/webhelp/onlinehelp/ (Log settings):
pairs from ``device=`` or ``device_name=`` on. UTM's httpproxy and reverseproxy:
``id="0001" severity="info" sys="SecureWeb" sub="http" ... url="http://a.example/"``.

    device_name="SFW" timestamp="2026-01-02T03:04:05+0100" log_type="Content Filtering"
    log_component="HTTP" url="https://a.example/b" src_ip="10.0.0.9" domain="a.example"
"""

import re
from collections.abc import Mapping

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts

_WEB = frozenset({"Content Filtering", "Web", "WAF"})


class Sophos(LineFormat):
    """Logs with a URL or domain; others are ignored."""

    name = "sophos"
    starts = re.compile(
        rb'(?:device="[^"]{1,40}" date=|device_name="[^"]{0,64}" (?:timestamp|date)=|'
        rb'id="[0-9]{4}" (?:severity="[a-z]{1,12}" )?(?:sys|srcip)=)'
    )

    def read(self, text: str) -> LineResult:
        """The event of one log message."""
        pairs = pairs_of(text)
        url = plain(pairs.get("url"))
        host = plain(
            pairs.get("domain")
            or pairs.get("domainname")
            or pairs.get("server_name")
            or pairs.get("sni")
            or pairs.get("server")
        )
        if not host and plain(pairs.get("log_component")) == "Web":
            host = plain(pairs.get("source"))  # The sandbox: the site that a file came from.
        if not url and not host:
            return _without_target(pairs)
        method = plain(pairs.get("method"))
        event = Parts(
            url=url,
            host=host,
            query=plain(pairs.get("query")),
            method="CONNECT" if method == "CONNECT" else None,
            client=plain(pairs.get("src_ip") or pairs.get("srcip") or pairs.get("sourceip")),
            time=_time(pairs),
            log_id=plain(pairs.get("con_id")),
        ).event()
        return _without_target(pairs) if isinstance(event, Rejected) else event


def _without_target(pairs: Mapping[str, str]) -> Rejected | Ignored:
    kind = plain(pairs.get("log_type") or pairs.get("sys")) or ""
    if kind in _WEB and plain(pairs.get("log_component")) == "HTTP":
        return NO_TARGET
    return Ignored(f"a log of type {kind[:40]}")


def _time(pairs: Mapping[str, str]) -> str | None:
    """Times of old versions name their zone, ambiguously (``IST``) but for ``GMT``."""
    time = plain(pairs.get("timestamp"))
    if time:
        return time
    date, clock, zone = pairs.get("date"), pairs.get("time"), plain(pairs.get("timezone"))
    return f"{plain(date)} {plain(clock)} {zone}" if date and clock and zone else None
