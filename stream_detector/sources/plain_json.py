"""JSON objects with a ``url`` or a ``host``, as any shipper can be told to write them.

Optional: ``client`` (or ``client_ip``, ``src_ip`` and the like), ``time`` (or ``timestamp``,
``@timestamp``; seconds or milliseconds since the epoch, or RFC 3339) and ``id``. Schema:
``data/schemas/url-event.json``. Of ECS the URL and ``source.ip`` are read, nested and dotted.
"""

import re

from stream_detector.events import Kind, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.http_requests import joined_url
from stream_detector.sources.json_record import (
    JsonObject,
    JsonRecord,
    JsonSource,
    decode_object,
    text_of,
)
from stream_detector.sources.times import to_time
from stream_detector.sources.url_syntax import is_absolute, names_target, starts_with_host

__all__ = ["NO_URL", "PlainJson", "read_object"]

_USUAL = ("http://", "https://")
_LEADING = "".join(map(chr, range(0x21)))
"""What the canonical form drops in front of a URL: control characters and space."""
NO_URL = frozenset({"", "-", "*"})
"""What servers write for the URL of a request that has none."""

_CLIENTS = (
    "source_ip",
    "source.ip",
    "client.ip",
    "srcip",
    "srcIp",
    "sourceIp",
    "clientip",
    "clientIp",
    "clientIP",
    "ClientIP",
    "remote_addr",
    "remoteAddr",
    "c-ip",
    "userip",
    "userIp",
)
"""Other names of the client; of ``source`` and ``client`` as objects, ``ip`` counts."""
_may_have_client = re.compile(
    rb'"(?:c-ip|source["._I]|[cC]lient["._iI]|src[iI]p|remote_?[aA]ddr|user[iI]p)'
).search

_LINE_FIELDS = ("message", "log", "short_message", "full_message", "msg", "MESSAGE")
_EVENT_ORIGINAL = "event.original"
_LINE_FIELD_ENDS = (b'essage"', b'"log"', b'"msg"', b'"MESSAGE"', b'original"')
"""Bytes without one of which an object has no field with a log line."""


class PlainJson(JsonSource):
    """One object, one event; where both are given, ``url`` says more than ``host``."""

    name = "json"
    needed = frozenset({"url"})
    used = frozenset({"host"})

    def claims(self, record: JsonRecord) -> bool:  # noqa: ARG002 - what no other format claims
        """Any object: it stands last among the JSON formats."""
        return True

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The object's URL or host."""
        url = record.url
        # Most objects, without a detour.
        if isinstance(url, str) and url.startswith(_USUAL):
            return _event("url", url, record, line)
        return read_object(record, line)


def read_object(record: JsonRecord, line: bytes, *, host_chosen: bool = False) -> LineResult:
    """What an object says by ``url`` and ``host``.

    Args:
        record: the object.
        line: the same, undecoded.
        host_chosen: the settings say that the host is no shipper's.
    """
    url = record.url
    if not isinstance(url, str):
        url = _ecs_url(url, line)
    elif url in NO_URL:
        url = None
    host = record.host if isinstance(record.host, str) else None
    if url and _is_whole(url, host):
        return _event("url", url, record, line)
    # Beside a log line the host is the shipper's.
    if not host_chosen and (field := _field_with_line(line)) is not None:
        return _in_envelope(field)
    if host:
        kind: Kind = "url" if url else "host"
        return _event(kind, joined_url(host, None, url) if url else host, record, line)
    if url:
        return Rejected(RejectReason.NO_URL, "the url names no host, nor does a field host")
    if isinstance(record.host, dict) or isinstance(record.url, dict):
        return Rejected(RejectReason.WRONG_TYPE, "url or host is an object that names no URL")
    return Rejected(RejectReason.NO_URL, "neither url nor host")


def _event(kind: Kind, observed: str, record: JsonRecord, line: bytes) -> UrlEvent:
    client = record.client
    if client is None or not isinstance(client, str):
        client = record.client_ip or record.src_ip or _other_client(line)
    time = record.time
    if time is None:
        time = record.timestamp if record.timestamp is not None else record.at_timestamp
        if time is None:
            time = record.ts
    log_id = record.id
    return UrlEvent(
        kind,
        observed,
        client or None,
        None if time is None else to_time(time),
        log_id if log_id is None or isinstance(log_id, str) else _id_text(log_id),
    )


def _id_text(log_id: int | JsonObject) -> str | None:
    return None if isinstance(log_id, dict) else str(log_id)


def _other_client(line: bytes) -> str | None:
    """The client under another name than the usual ones."""
    if not _may_have_client(line):
        return None
    content = decode_object(line)
    for name in _CLIENTS:
        if client := text_of(content.get(name)):
            return client
    for name in ("source", "client"):
        if client := text_of(decode_object(content.get(name)).get("ip")):
            return client
    return None


def _is_whole(url: str, host: str | None) -> bool:
    """Does ``url`` name its host, or is it a path on ``host``?"""
    url = url.lstrip(_LEADING)
    if is_absolute(url):
        return True
    if url.startswith(("/", "?")):
        return url.startswith("//") and not host
    return names_target(url) or (not host and starts_with_host(url))


def _ecs_url(url: JsonObject | None, line: bytes) -> str | None:
    """The URL of an event in ECS, nested or dotted."""
    if url is None:
        if b'"url.' not in line:
            return None
        content = decode_object(line)
        url = {name[4:]: value for name, value in content.items() if name.startswith("url.")}
    full, original, domain = (text_of(url.get(name)) for name in ("full", "original", "domain"))
    if full or not domain or (original and is_absolute(original)):
        return full or original
    path, query = text_of(url.get("path")), text_of(url.get("query"))
    return joined_url(domain, None, original or (f"{path or '/'}?{query}" if query else path))


def _field_with_line(line: bytes) -> str | None:
    """The field in which a shipper put a log line as it was; None where there is none."""
    if not any(end in line for end in _LINE_FIELD_ENDS):
        return None
    content = decode_object(line)
    for name in (*_LINE_FIELDS, _EVENT_ORIGINAL):
        if text_of(content.get(name)):
            return name
    return _EVENT_ORIGINAL if text_of(decode_object(content.get("event")).get("original")) else None


def _in_envelope(name: str) -> Rejected:
    return Rejected(
        RejectReason.UNKNOWN_FORMAT,
        f"there is no url, and the log line in {name!r} is not read: let the shipper send the line "
        "alone or its fields (url, client), or set json_fields",
    )
