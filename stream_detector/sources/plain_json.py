"""JSON objects with a ``url`` or a ``host``, as any shipper can be told to write them.

Optional: ``client`` (or ``client_ip``, ``src_ip`` and the like), ``time`` (or ``timestamp``,
``@timestamp``; seconds or milliseconds since the epoch, or RFC 3339) and ``id``. Schema:
``data/schemas/url-event.json``. Of ECS the URL and ``source.ip`` are read, nested and dotted.
"""

import msgspec

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

__all__ = ["PlainJson", "read_object"]

_USUAL = ("http://", "https://")
_LEADING = "".join(map(chr, range(0x21)))
"""What the canonical form drops in front of a URL: control characters and space."""
_NO_URL = frozenset({"", "-", "*"})
"""What servers write for the URL of a request that has none."""


class _Clients(msgspec.Struct, gc=False):
    """Other names of the client, as texts; of ``source`` and ``client`` as objects, ``ip``."""

    source_ip: msgspec.Raw = msgspec.Raw()
    source_dot_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="source.ip")
    client_dot_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="client.ip")
    srcip: msgspec.Raw = msgspec.Raw()
    src_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="srcIp")
    source_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="sourceIp")
    clientip: msgspec.Raw = msgspec.Raw()
    client_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="clientIp")
    client_ip_title: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="ClientIP")
    remote_addr: msgspec.Raw = msgspec.Raw()
    c_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="c-ip")
    userip: msgspec.Raw = msgspec.Raw()
    user_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="userIp")
    source: msgspec.Raw = msgspec.Raw()
    client: msgspec.Raw = msgspec.Raw()


class _Surroundings(msgspec.Struct, gc=False):
    """Where an object without a ``url`` may have one, or a log line, to whose shipper the host
    belongs."""

    url_full: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="url.full")
    url_original: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="url.original")
    url_domain: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="url.domain")
    message: msgspec.Raw = msgspec.Raw()
    log: msgspec.Raw = msgspec.Raw()
    short_message: msgspec.Raw = msgspec.Raw()
    full_message: msgspec.Raw = msgspec.Raw()
    msg: msgspec.Raw = msgspec.Raw()
    journal_message: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="MESSAGE")
    event: msgspec.Raw = msgspec.Raw()
    event_original: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="event.original")


# Undecoded values fit whatever they are, so these raise nothing where a first decoding did not.
# To decode twice is faster than to have all these fields in every object.
_clients_of = msgspec.json.Decoder(_Clients).decode
_surroundings_of = msgspec.json.Decoder(_Surroundings).decode
_as_tuple = msgspec.structs.astuple

_NO_SURROUNDINGS = _Surroundings()
_CLIENT_OBJECTS = 2
_URL_FIELDS = 3
_LINE_FIELDS = tuple(f.encode_name for f in msgspec.structs.fields(_Surroundings))[_URL_FIELDS:]

_NOTHING = Rejected(RejectReason.NO_URL, "neither url nor host")


class PlainJson(JsonSource):
    """One object, one event; where both are given, ``url`` says more than ``host``."""

    name = "json"
    needed = frozenset({"url"})
    used = frozenset({"host"})

    def claims(self, record: JsonRecord, line: bytes) -> bool:  # noqa: ARG002 - asked last
        """Any object: it stands last among the JSON formats."""
        return True

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The object's URL or host."""
        url = record.url
        # Most objects, without a detour.
        if isinstance(url, str) and url.startswith(_USUAL):
            return _event("url", url, record, line)
        host = record.host
        if url is None and isinstance(host, str) and _surroundings_of(line) == _NO_SURROUNDINGS:
            return _event("host", host, record, line) if host else _NOTHING
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
    elif url in _NO_URL:
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
    return _NOTHING


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
    clients = _clients_of(line)
    values = _as_tuple(clients)
    if not any(values):
        return None
    for value in values[:-_CLIENT_OBJECTS]:
        if client := text_of(value):
            return client
    for value in (clients.source, clients.client):
        if client := text_of(decode_object(value).get("ip")):
            return client
    return None


def _is_whole(url: str, host: str | None) -> bool:
    """Does ``url`` name its host, or is it a path on ``host``?"""
    url = url.lstrip(_LEADING)
    if ":" in url and is_absolute(url):
        return True
    if url.startswith(("/", "?")):
        return url.startswith("//") and not host
    return (not host and starts_with_host(url)) or names_target(url)


def _ecs_url(url: JsonObject | None, line: bytes) -> str | None:
    """The URL of an event in ECS, nested or dotted."""
    if url is None:
        around = _surroundings_of(line)
        url = {
            "full": around.url_full,
            "original": around.url_original,
            "domain": around.url_domain,
        }
    full, original, domain = (text_of(url.get(name)) for name in ("full", "original", "domain"))
    if full or not domain or (original and is_absolute(original)):
        return full or original
    path, query = text_of(url.get("path")), text_of(url.get("query"))
    return joined_url(domain, None, original or (f"{path or '/'}?{query}" if query else path))


def _field_with_line(line: bytes) -> str | None:
    """The field in which a shipper put a log line as it was; None where there is none."""
    around = _surroundings_of(line)
    for name, value in zip(_LINE_FIELDS, _as_tuple(around)[_URL_FIELDS:], strict=True):
        if name != "event" and text_of(value):
            return name
    return "event.original" if text_of(decode_object(around.event).get("original")) else None


def _in_envelope(name: str) -> Rejected:
    return Rejected(
        RejectReason.UNKNOWN_FORMAT,
        f"there is no url, and the log line in {name!r} is not read: let the shipper send the line "
        "alone or its fields (url, client), or set json_fields",
    )
