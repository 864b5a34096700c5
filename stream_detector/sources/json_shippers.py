"""Objects whose ``host`` is the machine that sent them, not the target of a request."""

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.json_record import JsonObject, decode_object

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

FIELDS_OF_SHIPPERS = frozenset({*_MESSAGES, *_LINES, *_METRICS})
"""An object without any of these has no ``shipper_fault``."""


def shipper_fault(content: JsonObject, client: str | None) -> Rejected | None:
    """Why ``host`` is no target: the object holds a log line or a metric. None if it is a target.

    A message without the client's address is not the log line that the client was parsed from, so
    the host next to it is a target.

    Args:
        content: the object.
        client: who asked, of an object with a host.
    """
    if FIELDS_OF_SHIPPERS.isdisjoint(content):
        return None
    for name in (*_MESSAGES, *_LINES):
        raw = bytes(content.get(name, b""))
        if raw in {b"", b"null"}:
            continue
        if name in _MESSAGES and (raw == b'""' or (client and client.encode() not in raw)):
            continue
        nested = name == "event" and "original" in decode_object(raw)
        place = "event.original" if nested else name
        return Rejected(
            RejectReason.UNKNOWN_FORMAT,
            f"there is no url, and the log line in {place!r} is not read: let the shipper send the "
            "line alone or its fields (url, client), or set json_fields",
        )
    for name in _METRICS:
        raw = bytes(content.get(name, b"null"))
        if raw != b"null" and (name == "metric" or raw[:1] != b'"'):
            return Rejected(RejectReason.NO_URL, f"a metric, by {name!r}: its host was measured")
    return None
