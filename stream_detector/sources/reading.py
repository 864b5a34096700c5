"""The entry to all log formats: a record, of one line or several, becomes events.

``SOURCES`` names the formats; each has a module. The settings give a topic's format, or it is
detected record by record: JSON objects by their fields, other lines by the first format of
``SOURCES`` that recognises them. Knows nothing of Kafka.
"""

import codecs
import re
from collections.abc import Sequence
from itertools import groupby
from operator import methodcaller

import msgspec

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.limits import RECORD_LINES_MAX
from stream_detector.sources.base import Results, Source
from stream_detector.sources.doors import envelopes
from stream_detector.sources.doors.headers import peeled
from stream_detector.sources.field_names import HOST_OF_REQUEST, TARGET_NAMES, named_event
from stream_detector.sources.json_fields import JsonFields
from stream_detector.sources.json_objects import JSON, claimant_of, of_fields
from stream_detector.sources.json_product_lookup import NAMES as PRODUCT_NAMES
from stream_detector.sources.json_product_lookup import product_of
from stream_detector.sources.json_products import Fields
from stream_detector.sources.json_record import (
    JsonObject,
    JsonRecord,
    JsonSource,
    decode_json,
    decode_json_array,
    decode_object,
    text_of,
)
from stream_detector.sources.plain import Plain
from stream_detector.sources.plain_json import MORE_THAN_HOST, event_of_host, event_of_url
from stream_detector.sources.registry import SOURCES, with_header
from stream_detector.sources.results import (
    NO_FORMAT,
    all_rejected,
    empty,
    passed,
    results_of,
    too_many,
)
from stream_detector.sources.zeek_json import tagged_record

Doors = tuple[str, ...]
"""What was opened on the way to a line, the outermost first."""

DOORS_MAX = 3
"""Envelopes and headers, one within another, that are opened."""
_SCHEMA_BYTES = 5

_PLAIN = Plain()
TEXT_SOURCES = tuple(
    source for source in SOURCES.values() if not (source.only_json or isinstance(source, Plain))
)

_BEFORE_OBJECT = frozenset({b"{", b" ", b"\t"})
_BEFORE_JSON = frozenset({b" ", b"\t", b"\r", b"\n", codecs.BOM_UTF8[:1]})
"""First bytes of a record with white space or a byte-order mark before its JSON."""

_is_header = methodcaller("startswith", b"#")

_BETTER_NAMES = TARGET_NAMES - {"url", "uri", "URI", "request", "resource"}
"""Beside one of these, ``host`` is the machine that sent the object."""
_SAYS_MORE_THAN_HOST = MORE_THAN_HOST | envelopes.NAMES | PRODUCT_NAMES | _BETTER_NAMES
"""An object without any of these fields has no better target than its host."""

_IS_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,32}://")
_STRING = "json_string"
_SCHEMA_NEEDED = (
    NO_FORMAT,
    Rejected(
        RejectReason.SCHEMA_NEEDED,
        "the wire format of a schema registry: only JSON is read; let the producer write JSON",
    ),
)
_UNKNOWN = (NO_FORMAT, Rejected(RejectReason.UNKNOWN_FORMAT, "no log format recognises the line"))
_BINARY = (NO_FORMAT, Rejected(RejectReason.NOT_UTF8, "binary: it has a NUL byte"))


class RecordReader:
    """Reads the records of one topic. It remembers the format of the last text line, which is most
    likely that of the next: the formats exclude each other, so this saves time and changes nothing.

    Args:
        source: the topic's format; None to detect it.
        lines_max: lines, and events, above which a record is rejected as a whole.
        json_fields: the fields that the settings name, if any.
    """

    def __init__(
        self,
        source: Source | None,
        *,
        lines_max: int = RECORD_LINES_MAX,
        json_fields: JsonFields | None = None,
    ) -> None:
        self._given = source
        self._lines_max = lines_max
        self._json_fields = json_fields
        self._last: Source | None = None

    def read(self, value: bytes, source: Source | None = None) -> Results:
        """The results of a record in order, each with the name of its format; never raises.

        Args:
            value: the record: one line or several (LF or CRLF), a JSON object over several lines,
                or a JSON array of objects. A value that starts with ``{`` or ``[``, after white
                space or a byte-order mark, is first read as a whole. A faulty line rejects only
                itself.
            source: the format of this record, where a header line before it named one.
        """
        return self._read(value, source or self._given, ())

    def _read(self, value: bytes, source: Source | None, doors: Doors) -> Results:
        first = value[:1]
        if first == b"{":
            record = decode_json(value)
            if isinstance(record, JsonRecord):
                return self._flat(self._of_object(record, value, source, doors))
        elif first in _BEFORE_JSON:
            trimmed = value.removeprefix(codecs.BOM_UTF8).lstrip()
            # A second mark is not skipped: a record of nothing but marks would recurse for each.
            marked_once = value.startswith(codecs.BOM_UTF8) and not trimmed.startswith(
                codecs.BOM_UTF8
            )
            if trimmed[:1] in {b"{", b"["} or marked_once:
                return self._read(trimmed, source, doors)
        elif first == b"[":
            # Text may start so too: IPv6 addresses, times, sections of a list.
            elements = decode_json_array(value)
            if not isinstance(elements, Rejected):
                return self._of_array(elements, source, doors)
        elif first == b'"' and len(doors) < DOORS_MAX and (text := text_of(msgspec.Raw(value))):
            # A line as a JSON string: "raw" of the OpenTelemetry Collector.
            results = self._read(text.encode(errors="surrogatepass"), source, (*doors, _STRING))
            if not all_rejected(results):
                return passed(results, _STRING, None)
        elif first == b"\0" and len(value) > _SCHEMA_BYTES:
            return self._of_registry(value, source, doors)
        line = value.rstrip(b"\r\n")
        if b"\n" in line or b"\r" in line or first == b"#" or not line.strip():
            results = self._of_lines(value, source, doors)
        else:
            results = self._of_line(line, source, doors)
        return self._flat(results)

    def _of_registry(self, value: bytes, source: Source | None, doors: Doors) -> Results:
        """A record in the wire format of a schema registry: 0, four bytes of schema id, data.

        https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
        """
        data = value[_SCHEMA_BYTES:]
        if data[:1] in {b"{", b"["}:
            return self._read(data, source, doors)
        return [_SCHEMA_NEEDED]

    def _of_array(self, elements: Sequence[bytes], source: Source | None, doors: Doors) -> Results:
        if len(elements) > self._lines_max:
            return too_many(len(elements), self._lines_max)
        results: Results = []
        for element in elements:
            results += self._of_json_line(element, source, doors)
        return self._flat(results) if results else empty()

    def _of_lines(self, value: bytes, source: Source | None, doors: Doors) -> Results:
        lines = [line for line in value.splitlines() if line.strip()]
        if not lines:
            return empty()
        if len(lines) > self._lines_max:
            return too_many(len(lines), self._lines_max)
        if lines[0].startswith(b"{") and not any(map(_is_object, lines)):
            lines = [value]  # One broken object over several lines.
        results: Results = []
        current = source
        for is_header, group in groupby(lines, _is_header):
            block = list(group)
            if is_header:
                current = with_header(source, block, current)
            for line in block:
                results += self._of_line(line, current, doors)
        return results

    def _of_line(self, line: bytes, source: Source | None, doors: Doors) -> Results:
        if b"\0" in line:
            return [_BINARY]
        if line[:1] in _BEFORE_OBJECT and line.lstrip()[:1] == b"{":
            return self._of_json_line(line, source, doors)
        found = self._behind_header(line, source, doors)
        if found is None and source is not None:
            return results_of(source.name, source.parse(line))
        return found or self._of_text(line) or self._of_list(line, doors)

    def _of_list(self, line: bytes, doors: Doors) -> Results:
        # In a message, a name with a dot is more likely that of a file or an event than of a host.
        if doors and doors != (_STRING,) and _IS_ABSOLUTE.match(line) is None:
            return [_unknown(line)]
        # Recognising a plain line takes all of its parsing.
        event = _PLAIN.parse_recognised(line)
        if event is None:
            return [_unknown(line)]
        self._last = _PLAIN
        return results_of(_PLAIN.name, event)

    def _of_text(self, line: bytes) -> Results | None:
        """The results of a line that a format recognises by its form, which not even a list of
        URLs has by accident.
        """
        last = self._last
        if last is _PLAIN:
            if (event := _PLAIN.parse_recognised(line)) is not None:
                return results_of(_PLAIN.name, event)
        elif last is not None and last.recognises(line):
            return results_of(last.name, last.parse(line))
        for source in TEXT_SOURCES:
            if source is not last and source.recognises(line):
                self._last = source
                return results_of(source.name, source.parse(line))
        return None

    def _behind_header(self, line: bytes, source: Source | None, doors: Doors) -> Results | None:
        """The results of what a header of syslog or of a container's log stands before."""
        if len(doors) == DOORS_MAX or source is _PLAIN:
            return None
        for door, inner, time in peeled(line):
            if not inner:
                continue
            inner_doors = (*doors, door)
            if inner[:1] in b"{[":
                results = self._read(inner, source, inner_doors)
            elif source is not None:
                results = results_of(source.name, source.parse(inner))
            else:
                results = (
                    self._of_text(inner) or self._behind_header(inner, source, inner_doors) or []
                )
                if not results and _IS_ABSOLUTE.match(inner) is not None:
                    event = _PLAIN.parse_recognised(inner)
                    results = [] if event is None else results_of(_PLAIN.name, event)
            # A line of a known format has its reason: with more of the header before it, a word of
            # the header could be read as a part of it.
            is_known = source is None and any(name for name, _ in results)
            if results and (is_known or not all_rejected(results)):
                return passed(results, door, time)
        return None

    def _of_json_line(self, line: bytes, source: Source | None, doors: Doors) -> Results:
        record = decode_json(line)
        if isinstance(record, JsonRecord):
            return self._of_object(record, line, source, doors)
        return [(NO_FORMAT, record)]

    def _of_object(
        self, record: JsonRecord, line: bytes, source: Source | None, doors: Doors
    ) -> Results:
        if source is None or source is JSON:
            if self._json_fields is None:
                # The fast path for most objects: with a URL they are of no other format.
                if (event := event_of_url(record, line)) is not None:
                    return [(JSON.name, event)]
                if (source or claimant_of(record, line)) is JSON:
                    return self._of_any(record, line, doors)
        elif not isinstance(source, JsonSource):
            fault = Rejected(RejectReason.MALFORMED, f"JSON in a topic of {source.name}")
            return self._inside(decode_object(line), source, doors) or [(source.name, fault)]
        name, result = of_fields(record, line, source, self._json_fields)
        if isinstance(result, Rejected) and (source is not None or name == JSON.name):
            return self._inside(decode_object(line), source, doors) or [(name, result)]
        return results_of(name, result)

    def _of_any(self, record: JsonRecord, line: bytes, doors: Doors) -> Results:
        """The results of an object of no certain program. Its target stands, the first that there
        is, in ``url``, in the fields of a product, in the log line that the object holds, in
        ``host``, or in a field with another usual name.
        """
        content = decode_object(line)
        found: Results | None = None
        url = record.url
        if not url or url == "-" or (isinstance(url, str) and url[0] == "/"):
            found = self._of_better_fields(record, line, content, doors)
            if found is not None and not all_rejected(found):
                return found
        result = JSON.result_of(record, line)
        if isinstance(result, Rejected):
            without = () if found is None else HOST_OF_REQUEST
            named = named_event(*Fields(content).leaves(), without=without)
            if named is None and found is not None:
                return found
            result = named or result
        return results_of(JSON.name, result)

    def _of_better_fields(
        self, record: JsonRecord, line: bytes, content: JsonObject, doors: Doors
    ) -> Results | None:
        """The results of fields that say more of the target than ``host``; None without any."""
        has_path = isinstance(record.url, str) and record.url[:1] == "/"
        if not has_path and record.host and _SAYS_MORE_THAN_HOST.isdisjoint(content):
            event = event_of_host(record, line, content)
            return None if event is None else [(JSON.name, event)]
        found = _of_product(line, content)
        if found is None and not has_path:
            found = self._inside(content, None, doors)
        if (found is None or all_rejected(found)) and not _BETTER_NAMES.isdisjoint(content):
            named = named_event(*Fields(content).leaves(), without=HOST_OF_REQUEST[:2])
            if isinstance(named, UrlEvent):
                return [(JSON.name, named)]
        return found

    def _inside(self, content: JsonObject, source: Source | None, doors: Doors) -> Results | None:
        """The results of the log line that an object holds in one of its fields."""
        if len(doors) == DOORS_MAX:
            return None
        first_fault: Results | None = None
        # A topic of `json` has JSON on the outside; the line within may be of any format.
        inner = None if source is JSON else source
        for place, contents in envelopes.opened(content):
            results = self._read(contents, inner, (*doors, place))
            if not all_rejected(results):
                return passed(results, place, envelopes.time_of(content))
            if first_fault is None:
                first_fault = [
                    (name, Rejected(fault.reason, f"in {place!r}: {fault.detail}"))
                    for name, fault in results
                    if isinstance(fault, Rejected)
                ]
        return first_fault

    def _flat(self, results: Results) -> Results:
        # One line may hold any number of hosts (Suricata's queries).
        if len(results) <= self._lines_max:
            return results
        return too_many(len(results), self._lines_max, "URLs or hosts")


def read_record(
    value: bytes,
    *,
    source: Source | None,
    lines_max: int = RECORD_LINES_MAX,
    json_fields: JsonFields | None = None,
) -> Results:
    """The results of one record, as ``RecordReader.read``."""
    return RecordReader(source, lines_max=lines_max, json_fields=json_fields).read(value)


def _is_object(line: bytes) -> bool:
    """Whether the line alone is a JSON object."""
    line = line.strip()
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    result = decode_json(line)
    return isinstance(result, JsonRecord) or result.reason is not RejectReason.MALFORMED


def _of_product(line: bytes, content: JsonObject) -> Results | None:
    """The results of an object of a product, or of one that a tag of Zeek's wraps; else None."""
    fields = Fields(content)
    if (product := product_of(fields)) is not None:
        return results_of(product.name, product.result(fields))
    if len(content) == 1 and (tagged := tagged_record(line)) is not None:
        claimant = claimant_of(*tagged)
        return results_of(claimant.name, claimant.result_of(*tagged))
    return None


def _unknown(line: bytes) -> tuple[str, Rejected]:
    """Why no format recognises a line."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return NO_FORMAT, Rejected(RejectReason.NOT_UTF8, f"byte {error.start} is not UTF-8")
    if line.startswith(b"[{") and isinstance(fault := decode_json_array(line), Rejected):
        return NO_FORMAT, fault
    return _UNKNOWN
