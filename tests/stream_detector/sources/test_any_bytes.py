"""Whatever the bytes, each format set and the one found give results and raise nothing."""

import json
from datetime import UTC
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.sources.base import Source
from stream_detector.sources.json_record import JsonRecord
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import SOURCES

FORMATS = pytest.mark.parametrize("source", [None, *SOURCES.values()], ids=["found", *SOURCES])
GIVEN_BY_SOURCES = set(RejectReason) - {RejectReason.TOO_LONG, RejectReason.MODEL_ERROR}
LINES_MAX = 20


@cache
def sample_lines() -> list[bytes]:
    """A few lines of each sample log, headers among them."""
    logs = [path for path in (DATA_FOLDER / "samples").iterdir() if path.suffix != ".py"]
    return [line for log in sorted(logs) for line in log.read_bytes().splitlines()[:40]]


WORDS = r'{ } [ ] [::1] :// " \ \ud800 null 1e999 [[[[ # % ü query[A] query uid #fields #path -'
SPLICES = st.sampled_from([word.encode() for word in WORDS.split()]) | st.sampled_from(
    [b"", b"\n", b"\r\n", b"\t", b" ", b"\0", b"\xff", b"\xed\xa0\x80", b" from ", b"9" * 5000]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Lines of real logs with pieces cut out and put in."""
    lines = draw(st.lists(st.sampled_from(sample_lines()), min_size=1, max_size=4))
    value = draw(st.sampled_from([b"\n", b"\r\n", b""])).join(lines)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(value)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 10, len(value)]))
        value = value[:start] + draw(SPLICES | st.binary(max_size=4)) + value[start + cut :]
    return value


def field_names() -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(JsonRecord)]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["http", "dns", "tls", "query", "CONNECT", "a.example", "::1", "http://a.b/"])
)
PARTS = st.dictionaries(
    st.sampled_from(
        ["hostname", "url", "http_port", "http_method", "type", "rrname", "queries", "query", "sni"]
    ),
    SCALARS | st.lists(st.dictionaries(st.just("rrname"), SCALARS, max_size=1), max_size=3),
)
EVE = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["http", "dns", "tls"])},
    optional={"http": PARTS, "dns": PARTS, "tls": PARTS, "flow_id": st.integers()},
)
OBJECTS = EVE | st.dictionaries(st.sampled_from(field_names()), SCALARS | PARTS, max_size=8)


def written(content: Any) -> bytes:
    return json.dumps(content).encode()


JSON = OBJECTS.map(written) | st.lists(OBJECTS, max_size=4).map(written)
TSV = st.lists(
    st.sampled_from(["-", "(empty)", "1795165220.6", "1", "GET", "udp", "a.example", "::1", "/a"])
    | st.text(max_size=8),
    max_size=14,
).map(lambda values: "\t".join(values).encode(errors="replace"))
HEADERS = st.lists(
    st.sampled_from(["ts", "uid", "id.resp_h", "host", "uri", "method", "query"])
).map(lambda names: "\t".join(["#fields", *names]).encode())
TSV_RECORDS = st.tuples(HEADERS, TSV, TSV).map(b"\n".join)

RECORDS = st.binary(max_size=200) | mutated() | JSON | TSV | TSV_RECORDS


@FORMATS
@settings(deadline=None, max_examples=300)
@given(value=RECORDS)
def test_any_record_is_read(source: Source | None, value: bytes) -> None:
    results = read_record(value, source=source, lines_max=LINES_MAX)
    assert results
    for name, result in results:
        assert name in SOURCES or name == ""
        assert source is None or name in {source.name, ""}
        check(result)
    assert read_record(value, source=source, lines_max=LINES_MAX) == results


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@settings(deadline=None, max_examples=300)
@given(value=RECORDS)
def test_any_line_is_read(source: Source, value: bytes) -> None:
    lines = [line for line in value.splitlines() if line.strip()]
    for_record = source.for_record(lines)
    assert for_record.name == source.name
    for line in lines:
        assert source.recognises(line) in {True, False}
        result = for_record.parse(line)
        if not isinstance(result, tuple):
            check(result)
            continue
        assert result
        for event in result:
            assert isinstance(event, UrlEvent)
            check(event)


def check(result: UrlEvent | Rejected | Ignored) -> None:
    """What the nouns promise."""
    if isinstance(result, Rejected):
        assert result.reason in GIVEN_BY_SOURCES
        assert 0 < len(result.detail) < 300
        return
    if isinstance(result, Ignored):
        assert result.what
        return
    assert result.kind in {"url", "host"}
    assert result.observed
    assert result.time is None or result.time.tzinfo is UTC
    assert isinstance(result.client, str | None)
    assert isinstance(result.log_id, str | None)
    assert isinstance(canonicalise(result.kind, result.observed), Canonical | Rejected)
