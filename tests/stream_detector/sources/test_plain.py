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
