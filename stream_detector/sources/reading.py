"""The entry to all log formats: a record, of one line or several, becomes events.

``SOURCES`` names the formats; each has a module. The settings give a topic's format, or it is
detected record by record: JSON objects by their fields, other lines by the first format of
``SOURCES`` that recognises them. Knows nothing of Kafka.
"""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, methodcaller

from stream_detector.errors import SettingsError
from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.limits import RECORD_LINES_MAX
from stream_detector.sources.base import LineResult, Source
from stream_detector.sources.dnsmasq import Dnsmasq
from stream_detector.sources.json_fields import JsonFields
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
from stream_detector.sources.zeek import ZeekDns, ZeekHttp
from stream_detector.sources.zeek_json import tagged_record
from stream_detector.sources.zeek_tsv import zeek_log_path

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
"""Formats by name, in the order in which they are asked to recognise a line."""

EventResult = UrlEvent | Rejected | Ignored

_JSON_SOURCES = tuple(source for source in SOURCES.values() if isinstance(source, JsonSource))
_JSON = _JSON_SOURCES[-1]
"""``json``, which claims every object that no other format does."""
_markers_of = attrgetter(*sorted({name for source in _JSON_SOURCES for name in source.markers}))
_NO_MARKERS = tuple(None for _ in _markers_of(JsonRecord()))
_PLAIN = Plain()
_TEXT_SOURCES = tuple(
    source for source in SOURCES.values() if not (source.only_json or isinstance(source, Plain))
)

_BEFORE_OBJECT = frozenset({b"{", b" ", b"\t"})
_BEFORE_JSON = frozenset({b" ", b"\t", b"\r", b"\n", codecs.BOM_UTF8[:1]})
"""First bytes of a record with white space or a byte-order mark before its JSON."""

_is_header = methodcaller("startswith", b"#")

_NO_FORMAT = ""
_UNKNOWN = (_NO_FORMAT, Rejected(RejectReason.UNKNOWN_FORMAT, "no log format recognises the line"))
_BINARY = (_NO_FORMAT, Rejected(RejectReason.NOT_UTF8, "binary: it has a NUL byte"))


def source_named(name: str) -> Source:
    """The format called ``name``.

    Raises:
        SettingsError: it is unknown; the message lists the formats.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise SettingsError(f"no log format {name!r}; there are {', '.join(SOURCES)}") from None


def read_record(
    value: bytes,
    *,
    source: Source | None,
    lines_max: int = RECORD_LINES_MAX,
    json_fields: JsonFields | None = None,
) -> list[tuple[str, EventResult]]:
    """The results of a record in order, each with the name of its format; never raises.

    Args:
        value: the record: one line or several (LF or CRLF), a JSON object over several lines,
            or a JSON array of objects. A value that starts with ``{`` or ``[``, after white space
            or a byte-order mark, is first read as a whole. A faulty line rejects only itself.
        source: the topic's format; None to detect it.
        lines_max: lines, and events, above which a record is rejected as a whole.
        json_fields: the fields that the settings name, if any.
    """
    first = value[:1]
    if first == b"{":
        record = decode_json(value)
        if isinstance(record, JsonRecord):
            name, result = _of_object(record, value, source, json_fields)
            # The fast path: one object, one event.
            return (
                [(name, result)]
                if isinstance(result, UrlEvent)
                else _flat(((name, result),), lines_max)
            )
    elif first in _BEFORE_JSON:
        trimmed = value.removeprefix(codecs.BOM_UTF8).lstrip()
        # A second mark is not skipped: a record of nothing but marks would recurse for each.
        marked_once = value.startswith(codecs.BOM_UTF8) and not trimmed.startswith(codecs.BOM_UTF8)
        if trimmed[:1] in {b"{", b"["} or marked_once:
            return read_record(trimmed, source=source, lines_max=lines_max, json_fields=json_fields)
    elif first == b"[":
        # Text may start so too: IPv6 addresses, times, sections of a list.
        elements = decode_json_array(value)
        if not isinstance(elements, Rejected):
            return _of_array(elements, source, lines_max, json_fields)
    line = value.rstrip(b"\r\n")
    if b"\n" in line or b"\r" in line or first == b"#" or not line.strip():
        return _read_lines(value, source, lines_max, json_fields)
    name, result = _BINARY if b"\0" in line else _of_line(line, source, json_fields)
    return [(name, result)] if isinstance(result, UrlEvent) else _flat(((name, result),), lines_max)


def _of_array(
    elements: Sequence[bytes],
    source: Source | None,
    lines_max: int,
    json_fields: JsonFields | None,
) -> list[tuple[str, EventResult]]:
    if len(elements) > lines_max:
        return _too_many(len(elements), lines_max)
    results = (_of_json_line(element, source, json_fields) for element in elements)
    return _flat(results, lines_max) or _empty()


def _read_lines(
    value: bytes, source: Source | None, lines_max: int, json_fields: JsonFields | None
) -> list[tuple[str, EventResult]]:
    lines = [line for line in value.splitlines() if line.strip()]
    if not lines:
        return _empty()
    if len(lines) > lines_max:
        return _too_many(len(lines), lines_max)
    if lines[0].startswith(b"{") and not any(map(_is_object, lines)):
        lines = [value]  # One broken object over several lines.
    return _flat(_of_lines(lines, source, json_fields), lines_max)


def _is_object(line: bytes) -> bool:
    """Whether the line alone is a JSON object."""
    line = line.strip()
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    result = decode_json(line)
    return isinstance(result, JsonRecord) or result.reason is not RejectReason.MALFORMED


def _of_json_line(
    line: bytes, source: Source | None, json_fields: JsonFields | None
) -> tuple[str, LineResult]:
    record = decode_json(line)
    if isinstance(record, JsonRecord):
        return _of_object(record, line, source, json_fields)
    return _NO_FORMAT, record


def _of_object(
    record: JsonRecord, line: bytes, source: Source | None, json_fields: JsonFields | None
) -> tuple[str, LineResult]:
    if source is not None and not isinstance(source, JsonSource):
        return source.name, Rejected(RejectReason.MALFORMED, f"JSON in a topic of {source.name}")
    claimant = source or _claimant(record, line)
    if json_fields is not None and (source is None or source is _JSON):
        # An event that another format finds has precedence over the chosen fields.
        if claimant is not _JSON:
            result = claimant.result_of(record, line)
            if not isinstance(result, Rejected | Ignored):
                return claimant.name, result
        host = record.host
        chosen = json_fields.result(line, record)
        if chosen is not None:
            return _JSON.name, chosen
        if claimant is not _JSON:
            record.host = host
    # Not isinstance(record, FaultyRecord): a negative answer takes 0.1 us for msgspec's structs.
    if record.__class__ is JsonRecord:
        result = claimant.interpret(record, line)
        if isinstance(result, UrlEvent):
            return claimant.name, result
    else:
        result = claimant.result_of(record, line)
    if isinstance(result, Rejected) and not record.url and claimant is not SOURCES["suricata"]:
        tagged = tagged_record(line)
        if tagged is not None:
            claimant = (
                source if source is not None and source is not _JSON else _claimant(tagged, line)
            )
            return claimant.name, claimant.result_of(tagged, line)
    return claimant.name, result


def _claimant(record: JsonRecord, line: bytes) -> JsonSource:
    """The format of an object."""
    # A field ``url`` is stronger evidence than the markers, which other programs use as well.
    url = record.url
    has_url = isinstance(url, str) and len(url) > 1  # "-" stands for no URL.
    if not has_url and _markers_of(record) != _NO_MARKERS:
        for claimant in _JSON_SOURCES:
            if claimant.claims(record, line):
                return claimant
    return _JSON


def _with_header(
    source: Source | None, header: Sequence[bytes], current: Source | None
) -> Source | None:
    """The format of header lines and of the lines after them.

    Args:
        source: the topic's format; None to detect it.
        header: consecutive lines that start with ``#``.
        current: the format of the lines before, which stays if ``header`` is only a comment.
    """
    path = zeek_log_path(header)
    if path is None:
        return current
    if source is None:
        source = SOURCES["zeek_dns" if path.startswith("dns") else "zeek_http"]
    return source.for_record(header)


def _of_lines(
    lines: Sequence[bytes], source: Source | None, json_fields: JsonFields | None
) -> list[tuple[str, LineResult]]:
    results: list[tuple[str, LineResult]] = []
    current = source
    for is_header, group in groupby(lines, _is_header):
        block = list(group)
        if is_header:
            current = _with_header(source, block, current)
        results += [
            _BINARY if b"\0" in line else _of_line(line, current, json_fields) for line in block
        ]
    return results


def _of_line(
    line: bytes, source: Source | None, json_fields: JsonFields | None
) -> tuple[str, LineResult]:
    if line[:1] in _BEFORE_OBJECT and line.lstrip()[:1] == b"{":
        return _of_json_line(line, source, json_fields)
    if source is not None:
        return source.name, source.parse(line)
    for text_source in _TEXT_SOURCES:
        if text_source.recognises(line):
            return text_source.name, text_source.parse(line)
    event = _PLAIN.parse_recognised(line)  # Recognising a plain line takes all of its parsing.
    if event is not None:
        return _PLAIN.name, event
    return _unknown(line)


def _unknown(line: bytes) -> tuple[str, Rejected]:
    """Why no format recognises a line."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return _NO_FORMAT, Rejected(RejectReason.NOT_UTF8, f"byte {error.start} is not UTF-8")
    if line.startswith(b"[{") and isinstance(fault := decode_json_array(line), Rejected):
        return _NO_FORMAT, fault
    return _UNKNOWN


def _flat(
    results: Iterable[tuple[str, LineResult]], events_max: int
) -> list[tuple[str, EventResult]]:
    flat: list[tuple[str, EventResult]] = []
    for name, result in results:
        # UrlEvent first: most results are one event.
        if isinstance(result, UrlEvent) or not isinstance(result, tuple):
            flat.append((name, result))
        else:
            flat.extend((name, event) for event in result)
    # One line may hold any number of hosts (Suricata's queries).
    return flat if len(flat) <= events_max else _too_many(len(flat), events_max, "URLs or hosts")


def _empty() -> list[tuple[str, EventResult]]:
    return [(_NO_FORMAT, Rejected(RejectReason.EMPTY, "nothing but white space"))]


def _too_many(count: int, lines_max: int, what: str = "lines") -> list[tuple[str, EventResult]]:
    detail = f"{count} {what}, more than {lines_max}"
    return [(_NO_FORMAT, Rejected(RejectReason.TOO_MANY, detail))]


class LogFile:
    """Reads one file from its first line to its last; a new file needs a new one of these."""

    def __init__(
        self,
        source: Source | None,
        *,
        line_bytes_max: int,
        json_fields: JsonFields | None = None,
    ) -> None:
        """As for ``read_record``; ``source`` is the format, None to find it line by line."""
        self._given = source
        self._json_fields = json_fields
        self._source = source
        self._line_bytes_max = line_bytes_max
        self._header: list[bytes] = []
        self._in_header = False

    def read(self, line: bytes) -> list[tuple[str, EventResult]]:
        """The results of the next line, each with the name of its format; none for a blank line."""
        if not line.strip():
            return []
        if len(line) > self._line_bytes_max:
            detail = f"{len(line)} bytes; record_bytes_max is {self._line_bytes_max}"
            return [("", Rejected(RejectReason.TOO_LARGE, detail))]
        if line.startswith(b"#"):
            if not self._in_header:
                self._header = []
            self._header.append(line)
            self._source = _with_header(self._given, self._header, self._source)
        self._in_header = line.startswith(b"#")
        return read_record(
            # A lone CR or form feed splits the line further, up to the limit of a record.
            line,
            source=self._source,
            json_fields=self._json_fields,
        )
