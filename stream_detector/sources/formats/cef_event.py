"""CEF of any product: a request's URL, a host beside a request, or a DNS query's name.

Fields by https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/ (CEF's
extension dictionary): ``request``, ``dhost``, ``destinationDnsDomain``, ``src``, ``rt``,
``externalId``; custom fields by their labels, and the names that products add.

    CEF:0|Example|Proxy|1.0|7|GET|3|rt=1767323045000 src=10.0.0.9 request=http://a.example/b
"""

import re
from collections.abc import Mapping

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.cef import CefEvent, read_cef
from stream_detector.sources.field_names import named_parts
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NOTHING, Parts
from stream_detector.sources.url_syntax import names_target

_URLS = ("request", "requestUrl", "URL", "Url", "url", "requestURL", "resource", "cs-uri")
_NAMES = (
    *("destinationDnsDomain", "DNS Query", "dns_query", "query", "Query", "qname", "FQDN"),
    *("DNS Query Name", "queryName", "DNSQuery", "dnsQuery", "dns_request", "fqdn", "dnsDomain"),
    *("FTNTFGTqname", "dns_query_name", "reqDomain", "Domain Name", "domainName"),
)
_HOSTS = ("dhost", "destinationHostName", "FTNTFGThostname", "hostname", "Host", "SNI", "sni")
_PATHS = ("cs-uri-path", "FTNTFGTurl", "uri", "requestPath")
_CLIENTS = (
    *("src", "c6a2", "sourceAddress", "sourceTranslatedAddress", "Source IPv6 Address"),
    *("client_ip", "c-ip", "ClientIP", "shost"),
)
_TIMES = ("rt", "end", "start", "deviceReceiptTime", "startTime", "endTime", "FTNTFGTeventtime")
_OF_WEB = re.compile(r"(?:https?|dns|ssl|tls|web|quic|http/.*|ssl .*|web.*|proxy)", re.IGNORECASE)
_OF_POLICY = re.compile(r"rpz \S+ \S+ rewrite (\S+) ")
"""BIND's message of a response policy zone, as Infoblox puts it into CEF."""
_WEB_PORTS = frozenset({"53", "80", "443", "853", "8080", "8443", "3128"})


class Cef(LineFormat):
    """Events without any target are ignored: most CEF events are about something else."""

    name = "cef"
    starts = re.compile(rb"CEF: ?[0-9]{1,2}(?:\.[0-9])?\|")

    def read(self, text: str) -> LineResult:
        """The event's URL, host or name."""
        event = read_cef(text)
        if event is None:
            return Rejected(RejectReason.MALFORMED, "CEF with fewer than seven header fields")
        url = _first(event, _URLS)
        name = _first(event, _NAMES) if url is None else None
        host = _first(event, _HOSTS)
        path = _first(event, _PATHS)
        if name is None and url is None and event.get("app") == "DNS":
            policy = _OF_POLICY.search(event.get("msg", "")[:1000])
            name = policy[1] if policy else None
        if name is None and url is None and (host is None or not (path or _is_web(event, host))):
            parts = named_parts(event)
            if parts.url is None and parts.name is None:
                return Ignored(f"a CEF event of {event.product[:40]} without URL or host")
        else:
            parts = Parts(
                url=url,
                host=host,
                name=None if path else name,
                path=path,
                method=event.get("requestMethod") if url else None,
                port=event.get("dpt") if host and url and url[0] == "/" else None,
            )
        parts.client = _first(event, _CLIENTS)
        parts.time = _first(event, _TIMES)
        parts.log_id = event.get("externalId")
        result = parts.event()
        if isinstance(result, Rejected) and url is not None and "/" not in url:
            return Ignored("a CEF event about a file")  # Palo Alto's name of one is in request.
        return result


def _first(event: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = event.get(name)
        if value is not None and value not in NOTHING:
            return value if value[0] != '"' else value.strip('"')
    return None


def _is_web(event: CefEvent, host: str) -> bool:
    """Whether ``dhost`` names what a client asked for, rather than a device that was attacked."""
    return names_target(host) and (
        event.get("dpt") in _WEB_PORTS
        or _OF_WEB.fullmatch(event.get("app", "")[:40]) is not None
        or "requestMethod" in event
    )
