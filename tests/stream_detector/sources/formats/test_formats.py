"""All formats of this folder together: whose line it is, and that no line does harm."""

import re
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Ignored, Rejected, UrlEvent
from stream_detector.sources.base import Source
from stream_detector.sources.registry import FORMATS, SOURCES


def _loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"samples_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _samples() -> dict[str, list[bytes]]:
    paths = sorted(Path(__file__).parent.glob("test_*.py"))
    modules = {path.stem: _loaded(path) for path in paths if path != Path(__file__)}
    return {
        name: [line if isinstance(line, bytes) else line.encode() for line, _ in module.SAMPLES]
        for name, module in modules.items()
    }


SAMPLES = _samples()
LINES = [line for lines in SAMPLES.values() for line in lines]
OTHERS = [SOURCES[name] for name in ("squid", "dnsmasq", "zeek_http", "zeek_dns", "suricata")]


def test_names_are_unique() -> None:
    names = [source.name for source in FORMATS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in names)


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_of_one_format(line: bytes) -> None:
    assert len([source.name for source in (*FORMATS, *OTHERS) if source.recognises(line)]) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"http://a.example/b",
        b"a.example",
        b"2001:db8::9",
        b'{"url": "http://a.example/"}',
        b"1767323045.123     57 10.0.0.9 TCP_MISS/200 779 GET http://a.example/ - HIER_NONE/- -",
        b"query[A] a.example from 10.0.0.9",
        b"1767323045.123456\tC1\t10.0.0.9\t1\t192.0.2.7\t80\t1\tGET\ta.example\t/b",
        b"Jan  2 03:04:05 host cron[7]: (root) CMD (true)",
        b"# comment",
    ],
)
def test_lines_of_other_formats_are_of_none(line: bytes) -> None:
    assert not [source.name for source in FORMATS if source.recognises(line)]


@pytest.mark.parametrize("source", FORMATS, ids=lambda source: source.name)
def test_a_format_that_is_set_refuses_the_lines_of_others(source: Source) -> None:
    for line in LINES:
        if not source.recognises(line):
            result = source.parse(line)
            # Pairs of a product whose lines have a format of their own are pairs nevertheless.
            assert not isinstance(result, UrlEvent) or source.name == "key_value", line


PIECES = st.sampled_from(
    [*b'"\\|=;: \t[]{}\0', b"CONNECT", b"\xff", b"\xed\xa0\x80", b"://", b"9" * 500, b'"' * 9]
).map(lambda piece: bytes([piece]) if isinstance(piece, int) else piece)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    line = draw(st.sampled_from(LINES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(line)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 10, len(line)]))
        line = line[:start] + draw(PIECES | st.binary(max_size=4)) + line[start + cut :]
    return line


@pytest.mark.parametrize("source", FORMATS, ids=lambda source: source.name)
@settings(deadline=None, max_examples=100)
@given(line=mutated())
def test_any_line_is_read(source: Source, line: bytes) -> None:
    assert source.recognises(line) in {True, False}
    result = source.parse(line)
    assert isinstance(result, UrlEvent | Rejected | Ignored)
    if isinstance(result, UrlEvent):
        assert result.observed
        assert isinstance(canonicalise(result.kind, result.observed), Canonical | Rejected)
        (result.observed + (result.client or "")).encode()
    elif isinstance(result, Rejected):
        assert 0 < len(result.detail) < 300
    else:
        assert result.what


REPEATED = [b" ", b'"', b'\\"', b"\\", b"1 ", b" - ", b"\t", b'a="', b" a=b"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_long_line_takes_linear_time(name: str) -> None:
    for line in SAMPLES[name][:4]:
        source = next(each for each in FORMATS if each.recognises(line))
        for piece in REPEATED:
            for place in (len(line) // 3, len(line) * 2 // 3, len(line)):
                long = line[:place] + piece * (50_000 // len(piece)) + line[place:]
                start = time.perf_counter()
                source.recognises(long)
                source.parse(long)
                # Quadratic time would take half a minute.
                assert time.perf_counter() - start < 3, (piece, place)
