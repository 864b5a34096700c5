"""Suricata's EVE JSON: ``http``, ``dns`` and ``tls`` events.

https://docs.suricata.io/en/latest/output/eve/eve-json-format.html. DNS queries are read in
version 2 (one ``rrname``) and version 3 (an array ``queries``); answers are ignored, so a CNAME
is never an event.
"""

import msgspec

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.dns_names import dns_event
from stream_detector.sources.http_requests import http_event
from stream_detector.sources.json_record import JsonRecord, JsonSource, decode_part
from stream_detector.sources.times import to_time

__all__ = ["Suricata"]

_QUERY_TYPES = frozenset({"query", "request"})


class _Http(msgspec.Struct, gc=False):
    hostname: str | None = None
    url: str | None = None
    http_port: int | None = None
    http_method: str | None = None


class _Query(msgspec.Struct, gc=False):
    rrname: str | None = None


class _Dns(msgspec.Struct, gc=False):
    type: str | None = None
    rrname: str | None = None
    queries: list[_Query] = []
    query: list[_Query] = []


class _Tls(msgspec.Struct, gc=False):
    sni: str | None = None


_http = msgspec.json.Decoder(_Http)
_dns = msgspec.json.Decoder(_Dns)
_tls = msgspec.json.Decoder(_Tls)


class Suricata(JsonSource):
    """EVE events; those that name no URL or host (flow, stats, alert...) are ignored."""

    name = "suricata"
    marker = "event_type"

    def claims(self, record: JsonRecord) -> bool:
        """Every EVE event has a type."""
        return record.event_type is not None

    def interpret(self, record: JsonRecord) -> LineResult:
        """The URL, the names asked for, or the server name."""
        if record.event_type == "http":
            return _from_http(record)
        if record.event_type == "dns":
            return _from_dns(record)
        if record.event_type == "tls":
            return _from_tls(record)
        if record.event_type is None:
            return Rejected(RejectReason.MALFORMED, "no event_type: not an EVE event")
        return Ignored("another event")


def _from_http(record: JsonRecord) -> LineResult:
    if not record.http:
        return Rejected(RejectReason.NO_URL, "an http event without http")
    http = decode_part(record.http, _http)
    if isinstance(http, Rejected):
        return http
    named = bool(http.hostname)
    return http_event(
        method=http.http_method,
        host=http.hostname if named else record.dest_ip,
        # Beside a host name Suricata gives the port that the client named.
        port=http.http_port if named else record.dest_port,
        target=http.url,
        client=record.src_ip,
        time=to_time(record.timestamp),
        log_id=_log_id(record),
    )


def _from_dns(record: JsonRecord) -> LineResult:
    if not record.dns:
        return Rejected(RejectReason.NO_URL, "a dns event without dns")
    dns = decode_part(record.dns, _dns)
    if isinstance(dns, Rejected):
        return dns
    if dns.type not in _QUERY_TYPES:
        return Ignored("an answer")
    names = [query.rrname for query in (*dns.queries, *dns.query)] or [dns.rrname]
    results = [
        dns_event(
            name or "",
            client=record.src_ip,
            time=to_time(record.timestamp),
            log_id=_log_id(record),
        )
        for name in names
    ]
    events = tuple(result for result in results if isinstance(result, UrlEvent))
    return events if len(events) > 1 else (events or results)[0]


def _from_tls(record: JsonRecord) -> LineResult:
    if not record.tls:
        return Ignored("no server name")
    tls = decode_part(record.tls, _tls)
    if isinstance(tls, Rejected):
        return tls
    if not tls.sni:
        return Ignored("no server name")
    return UrlEvent("host", tls.sni, record.src_ip, to_time(record.timestamp), _log_id(record))


def _log_id(record: JsonRecord) -> str | None:
    return None if record.flow_id is None else str(record.flow_id)
