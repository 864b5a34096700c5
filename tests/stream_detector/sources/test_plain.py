"""Plain lines: one URL or host name each."""

import pytest

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.plain import Plain


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ("http://example.com/a?b=c#d", UrlEvent("url", "http://example.com/a?b=c#d")),
        ("example.com/a", UrlEvent("url", "example.com/a")),
        ("example.com:8080", UrlEvent("url", "example.com:8080")),
        ("[2001:db8::1]:8080/a", UrlEvent("url", "[2001:db8::1]:8080/a")),
        ("example.com", UrlEvent("host", "example.com")),
        ("*.example.com", UrlEvent("host", "*.example.com")),
        ("192.0.2.7", UrlEvent("host", "192.0.2.7")),
        ("2001:db8::1", UrlEvent("host", "2001:db8::1")),
        ("[2001:db8::1]", UrlEvent("host", "[2001:db8::1]")),
        ("b\xfccher.example", UrlEvent("host", "b\xfccher.example")),
        ("\t example.com \t", UrlEvent("host", "example.com")),
    ],
)
def test_a_line_is_a_url_or_a_host(line: str, event: UrlEvent) -> None:
    assert Plain().recognises(line.encode())
    assert Plain().parse(line.encode()) == event


def test_a_single_label_is_a_host_where_the_format_is_set_and_not_recognised() -> None:
    assert not Plain().recognises(b"localhost")
    assert Plain().parse(b"localhost") == UrlEvent("host", "localhost")


NO_TARGETS = [
    "bad.example,10.1.2.3,GET",
    "10.1.2.3,http://bad.example/a,GET,200",
    "http://bad.example/a,10.1.2.3,GET",
    "2026-01-02,bad.example",
    "bad.example;10.1.2.3",
    "bad.example|GET",
    "host=bad.example",
    "url=http://bad.example/x.exe",
    "url:http://bad.example/x.exe",
    "name@bad.example",
    "1.2.3",
    "v1.2.3",
    "2.0.1-rc1",
    "1.2.3.4.5",
    "256.1.2.3",
    "10.0.0.0/8",
    "3.14",
    "access.log",
    "setup.exe",
    "report.pdf",
    "archive.tar.gz",
    "/etc/hosts.allow",
    "C:\\a.example",
    "03:04:05",
    "2026-01-02T03:04:05Z",
    "fe80::zz",
    "key:value",
    "[2001:db8::zz]",
    "a..example",
    "?a.example",
    '"a.example"',
]


@pytest.mark.parametrize("line", NO_TARGETS)
def test_what_is_neither_a_url_nor_a_host_name_is_none(line: str) -> None:
    assert not Plain().recognises(line.encode())
    fault = Plain().parse(line.encode())
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        "http://setup.exe/a,b",
        "http://1.2.3/",
        "example.com/a,b;c=d@e",
        "example.com:8080/a",
        "192.0.2.7/24/a",
        "http:example.com",
        "//example.com/a",
        "hxxp://example.com/a",
        "printer.local",
        "a.internal",
        "a.onion",
        "a.bazar",
        "name.co.za",
        "a_b.example",
        "xn--bcher-kva.xn--p1ai",
        "пример.рф/a",
        "हिन्दी.भारत",
        "www.example。com",
        "example.com.",
        "example.com?a=b,c",
        "http://example.com/a,http",
    ],
)
def test_urls_and_host_names_of_all_kinds_are_taken(line: str) -> None:
    assert Plain().recognises(line.encode())
    event = Plain().parse(line.encode())
    assert isinstance(event, UrlEvent)
    assert event.observed == line


@pytest.mark.parametrize("line", [b"", b"hello", b"http://example.com/ 200", b"a.b c.d", b'"a.b"'])
def test_lines_of_other_kinds_are_not_recognised(line: bytes) -> None:
    assert not Plain().recognises(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"http://example.com/ 200", RejectReason.MALFORMED),
        ("http://example.com/\u2003200".encode(), RejectReason.MALFORMED),
        (b'"http://example.com/"', RejectReason.MALFORMED),
        (b"'example.com'", RejectReason.MALFORMED),
        (b"\x1c", RejectReason.MALFORMED),
        (b"example.com/\xff", RejectReason.NOT_UTF8),
    ],
)
def test_each_fault_has_its_reason(line: bytes, reason: RejectReason) -> None:
    fault = Plain().parse(line)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason


@pytest.mark.parametrize("stop", ["\u3002", "\uff0e", "\uff61"])
def test_a_host_with_full_stops_of_another_script_is_recognised(stop: str) -> None:
    line = f"evil{stop}com".encode()
    assert Plain().parse_recognised(line) == UrlEvent("host", f"evil{stop}com")
    assert Plain().parse_recognised(f"evil{stop}".encode()) is None
