"""Log formats, one module each, and the reading of a record that may hold several lines.

A format is either set for a topic, or found record by record: JSON objects by what they hold,
other lines by the first format of ``SOURCES`` that recognises them. Knows nothing of Kafka.
"""

import codecs
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from stream_detector.errors import SettingsError
from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source
from stream_detector.sources.dnsmasq import Dnsmasq
from stream_detector.sources.json_record import (
    JsonRecord,
    JsonSource,
    decode_json,
    decode_json_array,
)
from stream_detector.sources.plain import Plain
from stream_detector.sources.plain_json import PlainJson
from stream_detector.sources.squid import Squid
from stream_detector.sources.suricata import Suricata
from stream_detector.sources.zeek import ZeekDns, ZeekHttp, zeek_log_path

__all__ = ["SOURCES", "EventResult", "Source", "read_record", "source_named", "with_header"]

SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Suricata(),
        ZeekDns(),
        ZeekHttp(),
        PlainJson(),
        Squid(),
        Dnsmasq(),
        Plain(),
    )
}
"""Formats by name, in the order in which they are asked whether a line is theirs."""

EventResult = UrlEvent | Rejected | Ignored

_JSON_SOURCES = tuple(source for source in SOURCES.values() if isinstance(source, JsonSource))
_UNMARKED_SOURCES = tuple(source for source in _JSON_SOURCES if source.marker is None)
_markers_of = attrgetter(*sorted({source.marker for source in _JSON_SOURCES if source.marker}))
_NO_MARKERS = tuple(None for _ in _markers_of(JsonRecord()))
_TEXT_SOURCES = tuple(source for source in SOURCES.values() if not isinstance(source, PlainJson))

_ADDRESS_IN_BRACKETS = re.compile(rb"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
"""A plain line may start so, and no JSON array does."""

_NO_FORMAT = ""
_UNKNOWN = (_NO_FORMAT, Rejected(RejectReason.UNKNOWN_FORMAT, "no log format recognises the line"))


def source_named(name: str) -> Source:
    """The format called ``name``.

    Raises:
        SettingsError: there is none; the message lists those there are.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise SettingsError(f"no log format {name!r}; there are {', '.join(SOURCES)}") from None


def read_record(
    value: bytes, *, source: Source | None, lines_max: int
) -> list[tuple[str, EventResult]]:
    """What a record says, in order, each with the name of its format; never raises.

    Args:
        value: the record; one line or several (LF or CRLF), a JSON object over several lines,
            or a JSON array of objects. What starts with ``{`` or ``[`` is read whole first;
            white space and a byte-order mark may stand before an object.
        source: the topic's format; None to find it.
        lines_max: lines beyond which a record is refused.
    """
    first = value[:1]
    if first == b"{":
        record = decode_json(value)
        if isinstance(record, JsonRecord):
            name, result = _of_object(record, source)
            # Most records: one object, one event, no detour.
            return [(name, result)] if isinstance(result, UrlEvent) else _flat(((name, result),))
    else:
        trimmed = value.removeprefix(codecs.BOM_UTF8).lstrip()
        if trimmed[:1] == b"{":
            return read_record(trimmed, source=source, lines_max=lines_max)
    if b"\0" in value:
        return [(_NO_FORMAT, Rejected(RejectReason.NOT_UTF8, "binary: it has a NUL byte"))]
    if first == b"[" and not _ADDRESS_IN_BRACKETS.match(value):
        return _read_array(value, source, lines_max)
    return _read_lines(value, source, lines_max)


def _read_array(
    value: bytes, source: Source | None, lines_max: int
) -> list[tuple[str, EventResult]]:
    records = decode_json_array(value)
    if isinstance(records, Rejected):
        return [(_NO_FORMAT, records)]
    if len(records) > lines_max:
        return _too_many(len(records), lines_max)
    return _flat(_of_decoded(record, source) for record in records) or _empty()


def _read_lines(
    value: bytes, source: Source | None, lines_max: int
) -> list[tuple[str, EventResult]]:
    lines = [line for line in value.splitlines() if line.strip()]
    if not lines:
        return _empty()
    if len(lines) > lines_max:
        return _too_many(len(lines), lines_max)
    if lines[0].startswith(b"{") and not any(map(_is_object, lines)):
        lines = [value]  # one object over several lines, and broken
    return _flat(_of_lines(lines, source))


def _is_object(line: bytes) -> bool:
    """Is it a JSON object of its own, whatever it holds?"""
    line = line.strip()
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    result = decode_json(line)
    return isinstance(result, JsonRecord) or result.reason is not RejectReason.MALFORMED


def _of_decoded(record: JsonRecord | Rejected, source: Source | None) -> tuple[str, LineResult]:
    return _of_object(record, source) if isinstance(record, JsonRecord) else (_NO_FORMAT, record)


def _of_object(record: JsonRecord, source: Source | None) -> tuple[str, LineResult]:
    if source is None:
        unmarked = _markers_of(record) == _NO_MARKERS
        for claimant in _UNMARKED_SOURCES if unmarked else _JSON_SOURCES:
            if claimant.claims(record):
                return claimant.name, claimant.interpret(record)
        raise AssertionError("the last of the JSON formats claims every object")
    if isinstance(source, JsonSource):
        return source.name, source.interpret(record)
    return source.name, Rejected(RejectReason.MALFORMED, f"JSON in a topic of {source.name}")


def with_header(source: Source | None, lines: Sequence[bytes]) -> Source | None:
    """The format of what stands among and after the header lines in ``lines``.

    ``source`` is the one that is set; None where it is to be found.
    """
    if source is None and lines[0].startswith(b"#"):
        source = SOURCES.get(f"zeek_{zeek_log_path(lines)}")
    return None if source is None else source.for_record(lines)


def _of_lines(lines: Sequence[bytes], source: Source | None) -> Iterable[tuple[str, LineResult]]:
    source = with_header(source, lines)
    if source is not None:
        return [(source.name, source.parse(line)) for line in lines]
    return [_of_line(line) for line in lines]


def _of_line(line: bytes) -> tuple[str, LineResult]:
    if line.lstrip()[:1] == b"{":
        return _of_decoded(decode_json(line), None)
    for source in _TEXT_SOURCES:
        if source.recognises(line):
            return source.name, source.parse(line)
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return _NO_FORMAT, Rejected(RejectReason.NOT_UTF8, f"byte {error.start} is not UTF-8")
    return _UNKNOWN


def _flat(results: Iterable[tuple[str, LineResult]]) -> list[tuple[str, EventResult]]:
    flat: list[tuple[str, EventResult]] = []
    for name, result in results:
        # Structs are asked first: most results are one event.
        if isinstance(result, UrlEvent) or not isinstance(result, tuple):
            flat.append((name, result))
        else:
            flat.extend((name, event) for event in result)
    return flat


def _empty() -> list[tuple[str, EventResult]]:
    return [(_NO_FORMAT, Rejected(RejectReason.EMPTY, "nothing but white space"))]


def _too_many(lines: int, lines_max: int) -> list[tuple[str, EventResult]]:
    detail = f"{lines} lines; record_lines_max is {lines_max}"
    return [(_NO_FORMAT, Rejected(RejectReason.TOO_LARGE, detail))]
