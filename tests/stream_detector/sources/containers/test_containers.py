"""Named values in one line: CEF, LEEF, key=value, W3C extended, delimited columns."""

import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.sources.containers.cef import read_cef
from stream_detector.sources.containers.delimited import columns_of
from stream_detector.sources.containers.key_value import (
    colon_pairs_of,
    delimited_pairs_of,
    pairs_of,
    plain,
)
from stream_detector.sources.containers.leef import read_leef
from stream_detector.sources.containers.w3c import field_names, values_of


def unquoted(text: str) -> dict[str, str | None]:
    return {key: plain(value) for key, value in pairs_of(text).items()}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1 b=two", {"a": "1", "b": "two"}),
        ('a="1 2" b=""', {"a": "1 2", "b": ""}),
        ("a= b=2", {"a": "", "b": "2"}),
        (r'a="say \"b=c\"" d=e', {"a": 'say "b=c"', "d": "e"}),
        (r'a="C:\" b="c d"', {"a": "C:\\", "b": "c d"}),
        (r'a="D\\anna" b="\"', {"a": r"D\\anna", "b": "\\"}),
        (r'user="D\anna" url="/b"', {"user": r"D\anna", "url": "/b"}),
        ("agent='Mozilla/5.0 (X11)' b=c", {"agent": "Mozilla/5.0 (X11)", "b": "c"}),
        ("url=http://a.example/?b=c&d=e f=g", {"url": "http://a.example/?b=c&d=e", "f": "g"}),
        ("url=http://a.example/it's msg='x y'", {"url": "http://a.example/it's", "msg": "x y"}),
        ('msg="b=evil" b=good', {"msg": "b=evil", "b": "good"}),
        ("word a=1", {"word": "", "a": "1"}),
        ("a=1\tb=2", {"a": "1", "b": "2"}),
        ("a=1 a=2", {"a": "1"}),
        ('"" " ', {}),
    ],
)
def test_key_value(text: str, pairs: dict[str, str]) -> None:
    assert unquoted(text) == pairs


def test_pairs_of_check_point() -> None:
    text = r'action:"Accept"; note::"a \"b:\"; c"; policy:"x[y=1;z\]"; src:"10.0.0.9"'
    assert colon_pairs_of(text) == {
        "action": "Accept",
        "note": 'a "b:"; c',
        "policy": "x[y=1;z]",
        "src": "10.0.0.9",
    }


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_pairs_with_a_delimiter(delimiter: str) -> None:
    text = delimiter.join(["a=1", 'b="c=d e"', "f=g h", 'i="x" y', "j=", "word", "k=l=m"])
    pairs = delimited_pairs_of(text, delimiter)
    assert {key: plain(value) for key, value in pairs.items()} == {
        "a": "1",
        "b": "c=d e",
        "f": "g h",
        "i": '"x" y',
        "j": "",
        "word": "",
        "k": "l=m",
    }


def test_cef() -> None:
    event = read_cef(
        r"CEF:0|Ex\|ample|Proxy|1.0|7|GET|3|request=http://a.example/?b=c&d\=e f "
        r"msg=one\\two\nthree cs1=high cs1Label=Risk Level src=10.0.0.9 "
    )
    assert event is not None
    assert (event.vendor, event.product) == ("Ex|ample", "Proxy")
    assert event["request"] == "http://a.example/?b=c&d=e f"
    assert event["msg"] == "one\\two\nthree"
    assert event["Risk Level"] == "high"
    assert event["src"] == "10.0.0.9"


@pytest.mark.parametrize("text", ["", "CEF:", "CEF:0|a|b|c|d|e", "|||||||", r"CEF:0|a\|\\|b|c|d|e"])
def test_no_cef(text: str) -> None:
    assert read_cef(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "LEEF:1.0|Example|Proxy|1.0|7|src=10.0.0.9\turl=http://a.example/?b=c",
        "LEEF:1.0|Example|Proxy|1.0|7|src=10.0.0.9#011url=http://a.example/?b=c",
        "LEEF:1.0|Example|Proxy|1.0|7|src=10.0.0.9|url=http://a.example/?b=c",
        "LEEF:1.0|Example|Proxy|1.0|7|src=10.0.0.9 url=http://a.example/?b=c",
        "LEEF:2.0|Example|Proxy|1.0|7|^|src=10.0.0.9^url=http://a.example/?b=c",
        "LEEF:2.0|Example|Proxy|1.0|7|x5E|src=10.0.0.9^url=http://a.example/?b=c",
        "LEEF:2.0|Example|Proxy|1.0|7|0x09|src=10.0.0.9\turl=http://a.example/?b=c",
        "LEEF:2.0|Example|Proxy|1.0|7||src=10.0.0.9\turl=http://a.example/?b=c",
        "LEEF:2.0|Example|Proxy|1.0|7|src=10.0.0.9\turl=http://a.example/?b=c",
    ],
)
def test_leef(text: str) -> None:
    event = read_leef(text)
    assert event == {"src": "10.0.0.9", "url": "http://a.example/?b=c"}
    assert event.vendor == "Example"


@pytest.mark.parametrize("text", ["", "LEEF:1.0|a|b|c|d", "CEF:0|a|b|c|d|e|f|g=h"])
def test_no_leef(text: str) -> None:
    assert read_leef(text) is None


def test_w3c() -> None:
    header = [b"#Version: 1.0", b"#Fields: date time c-ip cs(User-Agent)\t cs-host"]
    assert field_names(header) == ("date", "time", "c-ip", "cs(User-Agent)", "cs-host")
    assert field_names([b"#Version: 1.0"]) is None
    assert values_of("1  2 -") == ["1", "2", "-"]
    assert values_of('1 "a ""b"" c" 2') == ["1", 'a "b" c', "2"]
    assert values_of('1\ta b\t"c d"') == ["1", "a b", "c d"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,,c", ["a", "", "c"]),
        ('a,"b,c",d', ["a", "b,c", "d"]),
        ('a,"b ""c""",d', ["a", 'b "c"', "d"]),
        ('a,"b', None),
        (f'"{"x" * 200_000}"', None),
    ],
)
def test_delimited(text: str, columns: list[str] | None) -> None:
    assert columns_of(text) == columns


DELIMITED = [partial(delimited_pairs_of, delimiter=delimiter) for delimiter in ",;|\t"]
READERS = [pairs_of, colon_pairs_of, *DELIMITED, read_cef, read_leef, values_of, columns_of]
PIECES = st.sampled_from(
    [
        "CEF:0|a|b|c|d|e|f|",
        "LEEF:2.0|a|b|c|d|",
        "=",
        '"',
        "'",
        "\\",
        "|",
        " ",
        "\t",
        ":",
        ";",
        "a",
        "\n",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join))
def test_any_text_is_read(text: str) -> None:
    for read in READERS:
        read(text)
    assert all(isinstance(value, str) for value in unquoted(text).values())


@pytest.mark.parametrize(
    "piece",
    ['a="', '"', '\\"', 'a="\\', '="\\" ', "a=", "a:", 'a:"', "|a=\\", " a", "\\", "a='", "'", "x"],
)
def test_a_long_text_takes_linear_time(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    start = time.perf_counter()
    for read in READERS:
        read(text)
        read("CEF:0|a|b|c|d|e|f|" + text)
        read("LEEF:1.0|a|b|c|d|" + text)
    assert time.perf_counter() - start < 20
