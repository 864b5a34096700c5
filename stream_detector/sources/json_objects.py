"""Which JSON format an object is of, and the results of its own fields."""

from operator import attrgetter

from stream_detector.events import Ignored, Rejected, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.json_fields import JsonFields
from stream_detector.sources.json_record import JsonRecord, JsonSource
from stream_detector.sources.plain_json import PlainJson
from stream_detector.sources.suricata import Suricata
from stream_detector.sources.zeek import ZeekDns, ZeekHttp, ZeekSsl
from stream_detector.sources.zeek_json import tagged_record

JSON_SOURCES: tuple[JsonSource, ...] = (
    Suricata(),
    ZeekDns(),
    ZeekSsl(),
    ZeekHttp(),
    PlainJson(),
)
"""JSON formats in the order in which they are asked to claim an object."""
JSON = JSON_SOURCES[-1]
"""``json``, which claims every object that no other format does."""
_markers_of = attrgetter(*sorted({name for source in JSON_SOURCES for name in source.markers}))
_NO_MARKERS = tuple(None for _ in _markers_of(JsonRecord()))


def of_fields(
    record: JsonRecord, line: bytes, source: JsonSource | None, json_fields: JsonFields | None
) -> tuple[str, LineResult]:
    """The result of an object's own fields."""
    claimant = source or claimant_of(record, line)
    if json_fields is not None and (source is None or source is JSON):
        # An event that another format finds has precedence over the chosen fields.
        if claimant is not JSON:
            result = claimant.result_of(record, line)
            if not isinstance(result, Rejected | Ignored):
                return claimant.name, result
        host = record.host
        chosen = json_fields.result(line, record)
        if chosen is not None:
            return JSON.name, chosen
        if claimant is not JSON:
            record.host = host
    # Not isinstance(record, FaultyRecord): a negative answer takes 0.1 us for msgspec's structs.
    if record.__class__ is JsonRecord:
        result = claimant.interpret(record, line)
        if isinstance(result, UrlEvent):
            return claimant.name, result
    else:
        result = claimant.result_of(record, line)
    if isinstance(result, Rejected) and not record.url and not isinstance(claimant, Suricata):
        tagged = tagged_record(line)
        if tagged is not None:
            claimant = source if source is not None and source is not JSON else claimant_of(*tagged)
            return claimant.name, claimant.result_of(*tagged)
    return claimant.name, result


def claimant_of(record: JsonRecord, line: bytes) -> JsonSource:
    """The format of an object."""
    # A field ``url`` is stronger evidence than the markers, which other programs use as well.
    url = record.url
    has_url = isinstance(url, str) and len(url) > 1  # "-" stands for no URL.
    if not has_url and _markers_of(record) != _NO_MARKERS:
        for claimant in JSON_SOURCES:
            if claimant.claims(record, line):
                return claimant
    return JSON
