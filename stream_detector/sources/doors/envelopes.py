"""JSON objects in which a shipper sends a log line, or another object, as one of the fields.

The field ``host`` of such an object is the machine that sent it. The names come from
Filebeat and Logstash (``message``, ``event.original``), Fluent Bit and Docker (``log``), rsyslog
(``msg``, ``rawmsg``), syslog-ng and journald (``MESSAGE``), GELF (``short_message``), Splunk's HTTP
event collector (``event``) and export (``result``, ``_raw``), Vector, CloudEvents (``data``), Kafka
Connect (``payload`` beside ``schema``), OpenTelemetry (``resourceLogs``, ``body``), CloudWatch
(``logEvents``), Azure Event Hubs (``records``) and Elasticsearch (``_source``).
"""

import base64
import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from stream_detector.events import Rejected
from stream_detector.sources.json_record import (
    UNDECODABLE,
    JsonObject,
    decode_json_array,
    decode_object,
    text_of,
)

LINES = (
    *("message", "log", "msg", "event.original", "short_message", "full_message", "MESSAGE"),
    *("@message", "rawmsg", "raw_message", "rawMessage", "raw", "_raw", "line", "full_log"),
)
"""Fields that hold a log line as text, or the object that it was parsed into."""
_OBJECTS = ("event", "payload", "data", "body", "result", "_source", "record")
"""Fields that hold an object, or a log line as text."""
_ARRAYS = ("logEvents", "records", "Records", "events", "logs", "resourceLogs")
"""Fields that hold many of them."""
NAMES = frozenset({*LINES, *_OBJECTS, *_ARRAYS, "data_base64"})

_TIMES = ("@timestamp", "timestamp", "time", "timeUnixNano", "_time", "date", "ts", "eventTime")

_Time = float | str
_decode_time: Callable[[msgspec.Raw], _Time] = msgspec.json.Decoder(_Time).decode
_decode_bytes: Callable[[bytes], list[int]] = msgspec.json.Decoder(list[int]).decode


class Opened(NamedTuple):
    """The contents of one field of an envelope."""

    place: str
    """Name of the field."""
    contents: bytes
    """A log line, several, or JSON."""
    time: float | str | None
    """When the envelope says that the line was written or read."""


def opened(envelope: JsonObject) -> Iterator[Opened]:
    """What each field of ``envelope`` that can hold a log line contains; nothing of other objects.

    The first one that holds a line that a format knows is the log line.
    """
    if NAMES.isdisjoint(envelope):
        return
    time = _time(envelope)
    for name in (*LINES, *_OBJECTS):
        raw = envelope.get(name)
        if raw is not None:
            yield from _opened_field(name, bytes(raw), time)
    if (encoded := text_of(envelope.get("data_base64"))) is not None:
        with contextlib.suppress(ValueError):
            yield Opened("data_base64", base64.b64decode(encoded, validate=True), time)
    for name in _ARRAYS:
        array = bytes(envelope.get(name, b""))
        if array[:1] == b"[":
            yield Opened(name, _log_records(array) if name == "resourceLogs" else array, time)


def _opened_field(name: str, raw: bytes, time: _Time | None) -> Iterator[Opened]:
    first = raw[:1]
    if first == b'"':
        text = text_of(msgspec.Raw(raw))
        if text:
            # rsyslog leaves the space behind the tag in its msg.
            yield Opened(name, text.lstrip(" ").encode(errors="surrogatepass"), time)
    elif first == b"{":
        inner = decode_object(raw)
        if name == "event" and (original := text_of(inner.get("original"))):
            yield Opened("event.original", original.encode(errors="surrogatepass"), time)
        elif name == "body" and (text := text_of(inner.get("stringValue"))):
            yield Opened(name, text.encode(errors="surrogatepass"), time)
        else:
            yield Opened(name, raw, time)
    elif first == b"[" and name == "MESSAGE":
        # The journal writes a message that is not UTF-8 as an array of bytes.
        with contextlib.suppress(*UNDECODABLE, ValueError):
            yield Opened(name, bytes(_decode_bytes(raw)), time)
    elif first == b"[":
        yield Opened(name, raw, time)


def _log_records(raw: bytes) -> bytes:
    """The records of OTLP's JSON, which has them three arrays deep, as one array.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    records: list[bytes] = []
    for resource in _elements(raw):
        for scope in _elements(decode_object(resource).get("scopeLogs")):
            records += _elements(decode_object(scope).get("logRecords"))
    return b"[" + b",".join(records) + b"]"


def _elements(raw: bytes | msgspec.Raw | None) -> list[bytes]:
    elements = decode_json_array(bytes(raw)) if raw else []
    return [] if isinstance(elements, Rejected) else elements


def _time(envelope: JsonObject) -> _Time | None:
    for name in _TIMES:
        raw = envelope.get(name)
        if raw is None:
            continue
        try:
            return _decode_time(raw)
        except UNDECODABLE:
            continue
    return None
