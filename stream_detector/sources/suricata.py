"""Suricata's EVE JSON: ``http``, ``dns`` and ``tls`` events.

https://docs.suricata.io/en/latest/output/eve/eve-json-format.html. DNS queries are read in
version 2 (one ``rrname``) and version 3 (an array ``queries``); answers are ignored, so a CNAME
is never an event.
"""

import re
from typing import Any

import msgspec

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.json_record import JsonRecord, JsonSource, PartDecoder, decode_object
from stream_detector.sources.targets import dns_event, http_event
from stream_detector.sources.times import to_time

_EVENT_TYPES = re.compile(
    "alert|anomaly|arp|bittorrent_dht|dcerpc|dhcp|dnp3|dns|doh2|drop|engine|enip|fileinfo|flow|frame"
    "|ftp|ftp_data|http|http2|ike|ikev2|krb5|ldap|mdns|metadata|modbus|mqtt|netflow|nfs|packetinfo"
    "|pgsql|pop3|quic|rdp|rfb|sip|smb|smtp|snmp|ssh|stats|telnet|template|tftp|tls|verdict|websocket"
)
"""An object of another type is Suricata's if it has a flow."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}[+-][0-9]{4}")
"""EVE's form, without a colon in the offset."""

_OF_TRANSACTION = frozenset({"alert", "fileinfo"})
_QUERY_TYPES = frozenset({"query", "request"})
_HOST_HEADERS = frozenset({":authority", "host"})


class _Http(msgspec.Struct, gc=False):
    hostname: str | None = None
    url: str | None = None
    http_port: int | str | None = None
    http_method: str | None = None
    request_headers: msgspec.Raw = msgspec.Raw()


class _Query(msgspec.Struct, gc=False):
    rrname: str | None = None


class _Dns(msgspec.Struct, gc=False):
    type: str | None = None
    rrname: str | None = None
    queries: list[_Query] = []
    query: list[_Query] = []


class _Tls(msgspec.Struct, gc=False):
    sni: str | None = None


_http = PartDecoder(_Http, needed=frozenset({"hostname", "url"}))
_dns = PartDecoder(_Dns, needed=frozenset({"type", "rrname", "queries", "query"}))
_tls = PartDecoder(_Tls, needed=frozenset({"sni"}))

_decode_headers = msgspec.json.Decoder(list[dict[str, Any]]).decode


class Suricata(JsonSource):
    """EVE events; those without a URL or host (flow, stats, alert...) are ignored."""

    name = "suricata"
    markers = ("event_type",)
    used = frozenset({"event_type"})

    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """Every EVE event has a type, and most have a flow.

        Other programs use the field ``event_type`` and the same type names. Without a flow, the
        object is Suricata's if it has EVE's time, two addresses, or a part with the type's name.
        """
        event_type = record.event_type
        if event_type is None:
            return False
        if record.flow_id is not None:
            return True
        if not _EVENT_TYPES.fullmatch(event_type):
            return False
        if isinstance(record.timestamp, str) and _TIME.fullmatch(record.timestamp):
            return True
        content = decode_object(line)
        return (record.src_ip is not None and "dest_ip" in content) or bytes(
            content.get(event_type, b"")
        ).startswith(b"{")

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The URL, the names asked for, or the server name."""
        if record.event_type == "http":
            return _from_http(record)
        if record.event_type == "dns":
            return _from_dns(record)
        if record.event_type == "tls":
            return _from_tls(record, record.tls)
        if record.event_type == "quic":
            return _from_tls(record, decode_object(line).get("quic"))
        if record.event_type is None:
            return Rejected(RejectReason.MALFORMED, "no event_type: not an EVE event")
        return Ignored("another event")


class SuricataAlerts(Suricata):
    """The same, and the requests in ``alert`` and ``fileinfo`` events: for a sensor that logs no
    transactions. One that does would have each request judged twice.
    """

    name = "suricata_alerts"

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The URL, the names asked for, or the server name."""
        if record.event_type not in _OF_TRANSACTION:
            return super().interpret(record, line)
        if record.http:
            return _from_http(record)
        if record.dns:
            result = _from_dns(record)
            return Ignored("no query") if isinstance(result, Rejected) else result
        return _from_tls(record, record.tls)


def _from_http(record: JsonRecord) -> LineResult:
    if not record.http:
        return Rejected(RejectReason.NO_URL, "an http event without http")
    http = _http.decode(record.http)
    if not isinstance(http, _Http):
        return http
    return http_event(
        method=http.http_method,
        # The server's address is no substitute: HTTP/2 has the host in another field, and the
        # verdict would be about a path on an address that nobody asked for.
        host=http.hostname or _host_header(http.request_headers),
        # With a host name, Suricata logs the port that the client asked for.
        port=http.http_port if http.hostname else None,
        target=http.url,
        client=record.src_ip,
        time=to_time(record.timestamp),
        log_id=_log_id(record),
    )


def _host_header(headers: msgspec.Raw) -> str | None:
    """The host in the request's headers, if Suricata logs them (``dump-all-headers``)."""
    if not headers:
        return None
    try:
        for header in _decode_headers(headers):
            value = header.get("value")
            if str(header.get("name")).lower() in _HOST_HEADERS and isinstance(value, str):
                return value.strip() or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return None


def _from_dns(record: JsonRecord) -> LineResult:
    if not record.dns:
        return Rejected(RejectReason.NO_URL, "a dns event without dns")
    dns = _dns.decode(record.dns)
    if not isinstance(dns, _Dns):
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


def _from_tls(record: JsonRecord, part: msgspec.Raw | None) -> LineResult:
    if not part:
        return Ignored("no server name")
    tls = _tls.decode(part)
    if not isinstance(tls, _Tls):
        return tls
    if not tls.sni:
        return Ignored("no server name")
    return UrlEvent("host", tls.sni, record.src_ip, to_time(record.timestamp), _log_id(record))


def _log_id(record: JsonRecord) -> str | None:
    return None if record.flow_id is None else str(record.flow_id)
