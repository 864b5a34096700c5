"""Check Point's Log Exporter in its formats ``syslog`` and ``splunk``.

https://support.checkpoint.com/results/sk/sk122323, fields by sk144192:
``[action:"Accept"; time:"1767323045"; resource:"http://a.example/b"; src:"10.0.0.9"]``, and
``time=1767323045|action=Accept|resource=http://a.example/b|src=10.0.0.9``; as structured data of
RFC 5424 ``[sc4s@2620 action="Accept" time="1767323045" ...]``.
"""

import re
from collections.abc import Mapping

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import (
    colon_pairs_of,
    delimited_pairs_of,
    pairs_of,
    plain,
)
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts
from stream_detector.sources.url_syntax import is_absolute, starts_with_host

_NAMES = ("dns_query", "query", "question_name")
_SERVER_NAMES = ("tls_server_host_name", "sni", "http_host", "http_server")
_DNS_SERVICES = frozenset({"domain-udp", "domain-tcp", "DNS", "dns", "dns_udp"})


class CheckPoint(LineFormat):
    """Logs with a resource, server name or DNS name; connections are ignored."""

    name = "check_point"
    starts = re.compile(
        rb'\[?[A-Za-z_]{2,40}:+"[^"]{0,400}+"; ?[A-Za-z_]{2,40}:+"|'
        rb"(?:time=[0-9]{10,13}|\|hostname=[^|]{0,255})\|[a-z_]{2,40}=|"
        rb"(?:Log |- )?\[[A-Za-z0-9_]{1,32}@(?:1\.3\.6\.1\.4\.1\.)?2620 "
    )

    def read(self, text: str) -> LineResult:
        """The event of one log."""
        pairs = _pairs(text)
        url = pairs.get("resource") or pairs.get("url")
        name = _first(pairs, _NAMES)
        is_dns = _DNS_SERVICES & {pairs.get("service_id"), pairs.get("protocol")}
        if url and is_dns and not is_absolute(url) and starts_with_host(url):
            url, name = None, url
        host = _first(pairs, _SERVER_NAMES)
        if not (url or name or host):
            if pairs.get("product") == "URL Filtering" and pairs.get("src"):
                return NO_TARGET
            return Ignored("a log without a resource")
        event = Parts(
            url=url,
            host=host,
            name=None if url else name,
            client=pairs.get("src") or pairs.get("client_ip"),
            time=pairs.get("time"),
            log_id=pairs.get("loguid"),
        ).event()
        return Ignored("a log of no URL") if isinstance(event, Rejected) else event


def _pairs(text: str) -> dict[str, str]:
    if text[:1] in {"t", "|"}:
        return delimited_pairs_of(text, "|")
    if "2620 " in text[:64]:
        pairs = pairs_of(text[text.index("2620 ") + 5 :].removesuffix("]"))
        return {key: plain(value) or "" for key, value in pairs.items()}
    return colon_pairs_of(text)


def _first(pairs: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        if value := pairs.get(name):
            return value
    return None
