"""JSON objects in which a shipper sends a log line, or another object, as one of the fields.

The field ``host`` of such an object is the machine that sent it. The names come from
Filebeat and Logstash (``message``, ``event.original``), Fluent Bit and Docker (``log``), rsyslog
(``msg``, ``rawmsg``), syslog-ng and journald (``MESSAGE``), GELF (``short_message``), Splunk's HTTP
event collector (``event``) and export (``result``, ``_raw``), Vector, CloudEvents (``data``), Kafka
Connect (``payload`` beside ``schema``), OpenTelemetry (``resourceLogs``, ``body``), CloudWatch
(``logEvents``), Azure Event Hubs (``records``) and Elasticsearch (``_source``).
"""

import base64
from collections.abc import Callable, Iterator

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
    *("content", "log_message", "Message", "SyslogMessage", "textPayload"),
)
"""Fields that hold a log line as text, or the object that it was parsed into."""
_OBJECTS = ("event", "payload", "jsonPayload", "data", "body", "result", "_source", "record")
"""Fields that hold an object, or a log line as text."""
_ARRAYS = ("logEvents", "records", "Records", "events", "logs", "resourceLogs")
"""Fields that hold many of them."""
_BASE64 = "data_base64"
_ORDER = {name: place for place, name in enumerate((*LINES, *_OBJECTS, _BASE64, *_ARRAYS))}
NAMES = frozenset(_ORDER)

_TIMES = (
    *("@timestamp", "timestamp", "time", "timeUnixNano", "observedTimeUnixNano", "_time", "date"),
    *("ts", "eventTime", "__REALTIME_TIMESTAMP", "timereported", "timegenerated", "ISODATE"),
)
_NO_TIMES = ("0", 0, "", "-")
"""OTLP's ``timeUnixNano`` is 0 where only the time of reading is known."""

_Time = float | str
_decode_time: Callable[[msgspec.Raw], _Time] = msgspec.json.Decoder(_Time).decode
_decode_bytes: Callable[[bytes], list[int]] = msgspec.json.Decoder(list[int]).decode


def opened(envelope: JsonObject) -> Iterator[tuple[str, bytes]]:
    """Each field of ``envelope`` that can hold a log line: its name, and the line or JSON in it.

    The first one that holds a line that a format knows is the log line.
    """
    for name in sorted(envelope.keys() & NAMES, key=_ORDER.__getitem__):
        contents = _contents(name, bytes(envelope[name]))
        if contents is not None:
            yield (name, contents)


def _contents(name: str, raw: bytes) -> bytes | None:
    first = raw[:1]
    if first == b'"':
        text = text_of(msgspec.Raw(raw))
        if text is None or name == _BASE64:
            return _decoded(text) if text else None
        # rsyslog leaves the space behind the tag in its msg.
        return text.lstrip(" ").encode(errors="surrogatepass")
    if first == b"{":
        # Of ECS, and of OTLP.
        line = {"event": "original", "body": "stringValue"}.get(name)
        text = text_of(decode_object(raw).get(line)) if line is not None else None
        return raw if text is None else text.encode(errors="surrogatepass")
    if first == b"[":
        convert = {"resourceLogs": _log_records, "MESSAGE": _journal_bytes}.get(name)
        return raw if convert is None else convert(raw)
    return None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _journal_bytes(raw: bytes) -> bytes | None:
    """A message that is not UTF-8, which the journal writes as an array of bytes."""
    try:
        return bytes(_decode_bytes(raw))
    except (*UNDECODABLE, ValueError):
        return None


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


def time_of(envelope: JsonObject) -> float | str | None:
    """When the envelope says that its line was written, or read."""
    for name in _TIMES:
        raw = envelope.get(name)
        if raw is None:
            continue
        try:
            time = _decode_time(raw)
        except UNDECODABLE:
            continue
        if time not in _NO_TIMES:
            return time
    return None
