"""JSON objects with a ``url`` or a ``host``, the format that any shipper can be set up to write.

Optional: ``client`` (or ``client_ip``, ``src_ip`` and the like), ``time`` (or ``timestamp``,
``@timestamp``; seconds or milliseconds since the epoch, or RFC 3339) and ``id``. Schema:
``data/schemas/url-event.json``. Of ECS the URL and ``source.ip`` are read, nested and dotted; of
web servers the path next to ``host``, in ``uri``, ``request_uri``, ``path`` or ``request``.
"""

import re
import string

import msgspec

from stream_detector.canonical import kind_of
from stream_detector.events import Kind, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.json_record import (
    JsonObject,
    JsonRecord,
    JsonSource,
    decode_object,
    text_of,
    undecoded_fields,
)
from stream_detector.sources.targets import connect_target, joined_url
from stream_detector.sources.times import to_time
from stream_detector.sources.url_syntax import is_absolute, names_target, starts_with_host

_HOST_START = string.ascii_letters + string.digits
_USUAL = frozenset(
    {f"https://{first}" for first in _HOST_START}
    | {f"http://{first}{next_}" for first in _HOST_START for next_ in f"{_HOST_START}-._:/"}
)
"""The first nine characters of most URLs: a set look-up is faster than a pattern."""
_LEADING = "".join(map(chr, range(0x21)))
"""Control characters and space, which the canonical form drops in front of a URL."""
_NO_URL = frozenset({"", "-", "*"})
"""Written by servers in place of a missing URL."""
_NO_HOST = re.compile(r"-|_|\*|\(empty\)|unix:.*")
"""Written in place of a missing host; ``_`` is nginx's catch-all ``server_name``."""
_HOSTLESS = re.compile(
    r"\s*https?:[/\\]{2}(?:-|_|\(empty\))?(?::[0-9]*)?(?=[/?#\\]|$)", re.IGNORECASE
)
"""The start of a URL that was built with an empty host: a browser would take its path for one."""
_OF_NO_NETWORK = re.compile(
    r"(?:about|blob|data|javascript|mailto|sips?|sms|tel|urn|vbscript|view-source):", re.IGNORECASE
)
_WITH_PASSWORD = re.compile(r"[^/?#\\\s@:]+:[^/?#\\\s@]*@")
_FILE_NAME = re.compile(r"[^/?#\\:@]+\.(?:app|cc|mov|pl|ps|py|rs|sh|so|zip)", re.IGNORECASE)
"""With a field ``host`` it is a file there, although its ending is a top-level domain too."""

_NO_CLIENT = frozenset({"", "-", "unknown", "(empty)"})
"""Written in logs for an unknown client."""


_CLIENT_NAMES = (
    *("source_ip", "source.ip", "client.ip", "srcip", "srcIp", "sourceIp", "clientip", "clientIp"),
    *("ClientIP", "remote_addr", "c-ip", "userip", "userIp", "source", "client"),
)
"""Other names of the client, the most telling first."""
_CLIENT_OBJECTS = frozenset({"source", "client"})
"""Objects with the client in ``ip``, as in ECS; the others are texts."""
_clients_of = msgspec.json.Decoder(undecoded_fields(_CLIENT_NAMES)).decode
_as_tuple = msgspec.structs.astuple

_WITH_PORT = re.compile(r"(?:([0-9]+(?:\.[0-9]+){3})|\[([0-9A-Fa-f:.]+)\]):[0-9]{1,5}")

_MESSAGES = ("message", "msg", "event")
"""Log lines, or a program's message about an event whose fields are in the same object."""
_LINES = (
    "log",
    "short_message",  # GELF
    "full_message",
    "MESSAGE",  # the journal
    "@message",
    "event.original",  # ECS
    "rawmsg",  # rsyslog
    "raw_message",
    "raw",
    "_raw",  # Splunk, Cribl
    "line",
    "body",  # OpenTelemetry
    "http_request",  # HAProxy, whose host is its own
)
_METRICS = ("metric", "value", "values")

_FIELDS_OF_SHIPPERS = frozenset({*_MESSAGES, *_LINES, *_METRICS})
"""An object without any of these has no ``shipper_fault``."""

_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?")
_TARGETS = ("uri", "request_uri", "path")
_OF_ECS = ("url.full", "url.original", "url.domain")
MORE_THAN_HOST = _FIELDS_OF_SHIPPERS | {*_TARGETS, "request", *_OF_ECS}
"""Fields that can name a more specific target than ``host``."""

_CLIENT_FIELDS = frozenset({*_CLIENT_NAMES, "client", "client_ip", "src_ip"}) - {"source"}
_REQUEST_FIELDS = frozenset(
    {"method", "http_method", "status", "status_code", "path", "uri", "request_uri"}
)
_OF_REQUEST = (_REQUEST_FIELDS - {"path"}) | frozenset(
    {"host", "url", "kind", "time", "timestamp", "@timestamp", "ts", "date", "id", "uid", "port"}
    | {"scheme", "protocol", "proto", "bytes", "size", "duration", "user_agent", "referer"}
    | {"type", "qtype", "rcode", "code", "category", "http_request", "request", "query"}
)
"""Fields of which an object about a request may have any."""

_NOTHING = Rejected(RejectReason.NO_URL, "neither url nor host")
_OF_SENDER = Rejected(
    RejectReason.NO_URL,
    "a host beside fields of no request, so it may be the sender's own: name the client too, or "
    "set json_fields host=host",
)


class PlainJson(JsonSource):
    """One object, one event; ``url`` takes precedence over ``host``."""

    name = "json"
    needed = frozenset({"url"})
    used = frozenset({"host"})

    def claims(self, record: JsonRecord, line: bytes) -> bool:  # noqa: ARG002 - asked last
        """Any object: this format comes last among the JSON formats."""
        return True

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The object's URL or host."""
        return event_of_url(record, line) or read_object(record, line)


def event_of_url(record: JsonRecord, line: bytes) -> UrlEvent | None:
    """The event of an object with an ordinary ``url``; None for any other."""
    url = record.url
    if isinstance(url, str) and url[:9] in _USUAL:
        return _event("url", url, record, line)
    return None


def event_of_host(record: JsonRecord, line: bytes, content: JsonObject) -> UrlEvent | None:
    """The event of an object with an ordinary ``host`` that was asked for; None for any other."""
    host = record.host
    if isinstance(host, str) and host[:1].isalnum() and ":" not in host and _is_of_request(content):
        return _event("host", host, record, line)
    return None


def _is_of_request(content: JsonObject) -> bool:
    """Whether an object is about a request for its ``host``: it names the client, or says nothing
    but what requests have. An object of another kind has the host that sent it.
    """
    return (
        not _CLIENT_FIELDS.isdisjoint(content)
        or content.keys() <= _OF_REQUEST
        or ("method" in content and "status" in content)
        or bytes(content.get("source", b""))[:1] == b"{"
    )


def read_object(record: JsonRecord, line: bytes, *, host_chosen: bool = False) -> LineResult:
    """The event that an object's ``url`` and ``host`` name.

    Args:
        record: the object.
        line: the same, undecoded.
        host_chosen: the settings name the field of the host, so it is not the shipper's own.
    """
    url = _url_of(record, line)
    host = record.host if isinstance(record.host, str) else None
    if host is not None and (not host or _NO_HOST.fullmatch(host)):
        host = None
    if url and _is_whole(url, host):
        # An IPv6 address without brackets is no URL.
        kind: Kind = kind_of(url) if url.count(":") > 1 else "url"
        return _event(kind, url, record, line)
    if url and _OF_NO_NETWORK.match(url):
        return Rejected(RejectReason.NO_URL, "the url's scheme does not reach for a network host")
    content = decode_object(line)
    # In an object with a log line or a metric, the host is the shipper's own.
    if not host_chosen and (fault := _shipper_fault(content, host and _client_of(record, b"{}"))):
        return fault
    if host:
        method, target = ("", url) if url else _request(record, content)
        if not target and not host_chosen and not _is_of_request(content):
            return _OF_SENDER
        return _event(*_asked_of(host, method, target), record, line)
    return _without_host(url, record)


def _without_host(url: str | None, record: JsonRecord) -> Rejected:
    if url:
        return Rejected(RejectReason.NO_URL, "the url names no host, nor does a field host")
    if isinstance(record.host, dict) or isinstance(record.url, dict):
        return Rejected(RejectReason.WRONG_TYPE, "url or host is an object that names no URL")
    return _NOTHING


def _event(kind: Kind, observed: str, record: JsonRecord, line: bytes) -> UrlEvent:
    client = record.client
    # The fast path for most clients.
    if not isinstance(client, str) or ":" in client or client in _NO_CLIENT:
        client = _client_of(record, line)
    time = record.time
    if time is None:
        time = record.timestamp if record.timestamp is not None else record.at_timestamp
        if time is None:
            time = record.ts
    log_id = record.id
    return UrlEvent(
        kind,
        observed,
        client,
        None if time is None else to_time(time),
        log_id if log_id is None or isinstance(log_id, str) else _id_text(log_id),
    )


def _id_text(log_id: int | JsonObject) -> str | None:
    return None if isinstance(log_id, dict) else str(log_id)


def _url_of(record: JsonRecord, line: bytes) -> str | None:
    """The URL, or the path and query of one."""
    url = record.url
    if url is None:
        content = decode_object(line)
        dotted = {name[4:]: value for name, value in content.items() if name.startswith("url.")}
        url = _ecs_url(dotted) if dotted else None
    elif isinstance(url, dict):
        url = _ecs_url(url)
    if url is None or url in _NO_URL:
        return None
    hostless = _HOSTLESS.match(url)
    return url if hostless is None else "/" + url[hostless.end() :].lstrip("/\\")


def _ecs_url(url: JsonObject) -> str | None:
    """The URL of an event in ECS."""
    full, original, domain = (text_of(url.get(name)) for name in ("full", "original", "domain"))
    if full or not domain or (original and is_absolute(original)):
        return full or original
    path, query = text_of(url.get("path")), text_of(url.get("query"))
    port = bytes(url.get("port", b"")).strip(b'"')
    return joined_url(
        domain,
        int(port) if port.isdigit() else None,
        original or (f"{path or '/'}?{query}" if query else path),
    )


def _is_whole(url: str, host: str | None) -> bool:
    """Whether ``url`` names its host; otherwise it is a path on ``host``."""
    url = url.lstrip(_LEADING)
    if ":" in url and is_absolute(url):
        return True
    if url.startswith(("/", "?")):
        return url.startswith("//") and not host
    if host:
        return names_target(url) and not _FILE_NAME.fullmatch(url)
    if "@" in url and (password := _WITH_PASSWORD.match(url)):
        return not _OF_NO_NETWORK.match(url) and starts_with_host(url[password.end() :])
    # A bare name under no known top-level domain is more likely that of a file.
    return names_target(url) or (starts_with_host(url) and _has_more_than_name(url))


def _has_more_than_name(url: str) -> bool:
    return any(character in url for character in "/?#\\:")


def _request(record: JsonRecord, content: JsonObject) -> tuple[str | None, str | None]:
    """Method and target of a request that a web server logs in fields of its own."""
    request = text_of(content.get("request"))
    if request is not None and (match := _REQUEST_LINE.fullmatch(request)):
        return match[1], match[2]
    for name in _TARGETS:
        target = text_of(content.get(name))
        if target is None or target in _NO_URL:
            continue
        # Other programs write the names of files to ``path``.
        if name != "path" or (target[0] == "/" and _is_request(record, content)):
            return record.method, target
    return None, None


def _is_request(record: JsonRecord, content: JsonObject) -> bool:
    has_status = "status" in content or "status_code" in content
    return record.method is not None or has_status or not _CLIENT_FIELDS.isdisjoint(content)


def _asked_of(host: str, method: str | None, target: str | None) -> tuple[Kind, str]:
    if target is None or target in _NO_URL:
        return "host", host
    if method == "CONNECT":
        return "host", connect_target(target) or host
    if target[0] != "/" and is_absolute(target):
        return "url", target
    return "url", joined_url(host, None, target)


def _client_of(record: JsonRecord, line: bytes) -> str | None:
    """The client's address or name, without its port; None without one.

    Args:
        record: the object.
        line: the same, undecoded.
    """
    client = record.client if isinstance(record.client, str) else None
    for value in (client, record.client_ip, record.src_ip):
        if value is not None and value not in _NO_CLIENT:
            return _without_port(value)
    values = _as_tuple(_clients_of(line))
    if not any(values):
        return None
    for name, raw in zip(_CLIENT_NAMES, values, strict=True):
        if not raw:
            continue
        text = text_of(decode_object(raw).get("ip") if name in _CLIENT_OBJECTS else raw)
        if text is not None and text not in _NO_CLIENT:
            return _without_port(text) if ":" in text else text
    return None


def _without_port(client: str) -> str:
    match = _WITH_PORT.fullmatch(client) if ":" in client else None
    return client if match is None else match[1] or match[2]


def _shipper_fault(content: JsonObject, client: str | None) -> Rejected | None:
    """Why ``host`` is no target: the object holds a log line or a metric. None if it is a target.

    A message without the client's address is not the log line that the client was parsed from, so
    the host next to it is a target.

    Args:
        content: the object.
        client: who asked, of an object with a host.
    """
    if _FIELDS_OF_SHIPPERS.isdisjoint(content):
        return None
    for name in (*_MESSAGES, *_LINES):
        raw = bytes(content.get(name, b""))
        if raw in {b"", b"null"}:
            continue
        if raw == b'""' and name in _MESSAGES:
            continue
        # A request with a message: the line that the client was parsed from would name it.
        is_request = not _REQUEST_FIELDS.isdisjoint(content)
        if name in _MESSAGES and is_request and client and client.encode() not in raw:
            continue
        nested = name == "event" and "original" in decode_object(raw)
        place = "event.original" if nested else name
        return Rejected(
            RejectReason.UNKNOWN_FORMAT,
            f"no log format recognises the line in {place!r}, and the host beside it is the "
            "machine that sent it: let the shipper send url and client, or set json_fields",
        )
    for name in _METRICS:
        raw = bytes(content.get(name, b"null"))
        if raw != b"null" and (name == "metric" or raw[:1] != b'"'):
            return Rejected(RejectReason.NO_URL, f"a metric, by {name!r}: its host was measured")
    return None
