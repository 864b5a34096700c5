"""Squid's native access.log, as Squid writes it."""

from datetime import UTC, datetime

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.squid import Squid

TIME = datetime(2026, 11, 20, 9, 0, 0, 889000, tzinfo=UTC)
MISS = b"1795165200.889    921 10.20.3.20 TCP_MISS/200 507 "


def test_a_request_is_a_url_with_client_and_time() -> None:
    line = MISS + b"POST http://example.com/a.dll?b=c - HIER_DIRECT/198.18.99.193 text/html"
    assert Squid().recognises(line)
    assert Squid().parse(line) == UrlEvent(
        "url", "http://example.com/a.dll?b=c", "10.20.3.20", TIME, None
    )


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            b"1795165200.889    526 10.20.6.24 TCP_TUNNEL/200 24732 CONNECT example.com:443 - "
            b"HIER_DIRECT/example.com -",
            UrlEvent("host", "example.com:443", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889  60213 2001:db8::7 TCP_TUNNEL/200 4096 CONNECT [2001:db8::1]:443 - "
            b"HIER_DIRECT/2001:db8::1 -",
            UrlEvent("host", "[2001:db8::1]:443", "2001:db8::7", TIME),
        ),
        (
            b"1795165200.889      0 host.example NONE_NONE_ABORTED/000 0 GET ftp://example.com/ "
            b"name@EXAMPLE HIER_NONE/- -",
            UrlEvent("url", "ftp://example.com/", "host.example", TIME),
        ),
        (
            b"1795165200.889     -1 10.20.6.24 TCP_DENIED/403 3900 GET http://example.com/ "
            b"name HIER_NONE/- text/html [Host: example.com\\r\\n] [HTTP/1.1 403 Forbidden\\r\\n]",
            UrlEvent("url", "http://example.com/", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889      5 10.20.6.24 TCP_MEM_HIT/200 90 GET http://example.com/%C3%A9 -",
            UrlEvent("url", "http://example.com/%C3%A9", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   7 10.20.6.24 TCP_MISS_SSL/200 39 CONNECT tunnel://example.com:443/ "
            b'"CORP\\anna@ad" DIRECT/example.com - DEFAULT_CASE_12-x <"-",-> -',
            UrlEvent("host", "example.com:443", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889      7 10.20.6.24 TCP_MISS/200 39 CONNECT https://example.com:443/a - "
            b"DIRECT/example.com -",
            UrlEvent("host", "example.com:443", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889      0 10.20.6.24 TCP_MISS/0 0 - https://example.com 10.20.6.24 "
            b"DEFAULT_PARENT/ -",
            UrlEvent("url", "https://example.com", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/A b/c d.exe - "
            b"HIER_DIRECT/192.0.2.1 application/octet-stream",
            UrlEvent("url", "http://example.com/A b/c d.exe", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/A b/C /d anna "
            b"SOURCEHASH_PARENT/192.0.2.1 text/html [Host: a\\r\\n] [HTTP/1.1 200 OK\\r\\n]",
            UrlEvent("url", "http://example.com/A b/C /d", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/b "
            b'"OFFICE\\anna maria berg@ad" DIRECT/example.com text/html DEFAULT_CASE_12-x <"-",->',
            UrlEvent("url", "http://example.com/b", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/b c "
            b'"anna berg" HIER_DIRECT/192.0.2.1 text/html',
            UrlEvent("url", "http://example.com/b c", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/squid-internal-x"
            b"/a - HIER_DIRECT/192.0.2.1 text/html",
            UrlEvent("url", "http://example.com/squid-internal-x/a", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MEM_HIT/200 43 GET "
            b"http://example.com/squid-internal-x/a - HIER_NONE/- text/html",
            UrlEvent("url", "http://example.com/squid-internal-x/a", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET http://example.com/b "
            b"c HIER_no/../d.exe - HIER_DIRECT/192.0.2.1 -",
            UrlEvent("url", "http://example.com/b c HIER_no/../d.exe", "10.20.6.24", TIME),
        ),
        (
            b"1795165200.889   0 10.20.6.24 TCP_MISS/200 43 GET example.com:8080/a - HIER_NONE/- -",
            UrlEvent("url", "example.com:8080/a", "10.20.6.24", TIME),
        ),
    ],
    ids=[
        "CONNECT",
        "IPv6",
        "older and newer codes",
        "log_mime_hdrs",
        "cut after the user",
        "tunnel",
        "CONNECT with a scheme",
        "e2guardian",
        "spaces",
        "spaces, mime headers",
        "a user of several words",
        "spaces, a user of several words",
        "a server's own internal path",
        "the same from the cache",
        "a word like a code in the URL",
        "without a scheme",
    ],
)
def test_other_requests(line: bytes, event: UrlEvent) -> None:
    assert Squid().recognises(line)
    assert Squid().parse(line) == event


@pytest.mark.parametrize(
    "line",
    [
        b"1795165200.889      0 10.20.6.24 NONE_NONE/000 0 - "
        b"error:transaction-end-before-headers - HIER_NONE/- -",
        b"1795165200.889      0 10.20.6.24 NONE/400 3900 NONE error:invalid-request - NONE/- -",
        b"1795165200.889      0 10.20.6.24 NONE_NONE/408 0 - - - HIER_NONE/- -",
        b"1795165200.889      0 ::1 TCP_MISS/200 900 GET cache_object://localhost/counters - "
        b"HIER_NONE/- text/plain",
        b"1795165200.889      2 ::1 TCP_MISS/200 900 GET "
        b"http://proxy-2:3128/squid-internal-mgr/info - HIER_NONE/- text/plain",
    ],
    ids=["no headers", "no request", "time-out", "cache manager", "cache manager over http"],
)
def test_what_squid_says_of_itself_is_ignored(line: bytes) -> None:
    assert Squid().recognises(line)
    assert isinstance(Squid().parse(line), Ignored)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (MISS + b"GET", RejectReason.MALFORMED),
        (MISS + b"GET http://example.com/A b c.exe", RejectReason.MALFORMED),
        (MISS + b"GET http://a.b/c d - NONE/- e - HIER_DIRECT/192.0.2.1 -", RejectReason.MALFORMED),
        (MISS + b"GET http://a.b/c anna berg HIER_DIRECT/192.0.2.1 -", RejectReason.MALFORMED),
        (MISS + b"GET http://a.b/c d.exe anna HIER_DIRECT/192.0.2.1 -", RejectReason.MALFORMED),
        (MISS + b"GET http://a.b/c - HIER_NONE/d.exe - HIER_DIRECT/::1 -", RejectReason.MALFORMED),
        (MISS + b"GET http://a.b/c - HIER_NONE/d.exe - DIRECT/::1 -", RejectReason.MALFORMED),
        (MISS + b"GET 47 - HIER_DIRECT/192.0.2.1 -", RejectReason.NO_URL),
        (MISS + b"GET 10.1/a - HIER_DIRECT/192.0.2.1 -", RejectReason.NO_URL),
        (MISS + b"GET /cgi-bin/luci - HIER_NONE/- text/html", RejectReason.NO_URL),
        (b"hello", RejectReason.MALFORMED),
        (MISS + b"GET http://example.com/\xff - HIER_NONE/- -", RejectReason.NOT_UTF8),
    ],
)
def test_each_fault_has_its_reason(line: bytes, reason: RejectReason) -> None:
    fault = Squid().parse(line)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason


@pytest.mark.parametrize(
    "line",
    [
        b"a b c d e f g",
        b"1 2 3 4 5 6 70",
        b"1795165200.889 104 10.1.2.3 58938 TCP_MISS/200 904 123 364 123 528 GET http://a.b/ 1.1 -",
        b"1795165200.889 104 10.1.2.3 TCP_MISS/200 904 123 364 123 528 GET http://a.b/ 1.1 -",
        b"Nov 20 09:00:13 proxy1 squid[722]: " + MISS + b"GET http://a.b/ - HIER_NONE/- -",
        b"1795165200.889 0 10.1.2.3 TCP_MISS/200 x GET http://a.b/ - HIER_NONE/- -",
    ],
)
def test_where_the_format_is_set_other_lines_are_refused_with_what_to_do(line: bytes) -> None:
    fault = Squid().parse(line)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.MALFORMED
    assert "native format" in fault.detail
    assert "logformat=squid" in fault.detail


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"http://example.com/",
        b"1795165200.889\tC1\t10.20.3.20\t1\t10.0.0.2\t80\t1\tGET\texample.com\t/",
        b'10.20.3.20 - - [20/Nov/2026:10:00:00 +0100] "GET http://example.com/ HTTP/1.1" 200 507',
        b"1795165200 921 10.20.3.20 TCP_MISS/200 507 GET http://example.com/ -",
    ],
    ids=["empty", "plain", "zeek", "common log format", "whole seconds"],
)
def test_lines_of_other_kinds_are_not_recognised(line: bytes) -> None:
    assert not Squid().recognises(line)


WITH_PORT = (
    "1795165203.391    104 10.20.3.4 58938 TCP_MISS/200 904 123 364 123 528 {} 1.1 kim "
    "HIER_DIRECT/198.18.0.9 80 text/html - -"
)


@pytest.mark.parametrize(
    ("request_", "kind", "observed"),
    [
        ("GET http://a.example/b?c=1", "url", "http://a.example/b?c=1"),
        ("CONNECT a.example:443", "host", "a.example:443"),
    ],
)
def test_the_format_with_the_clients_port_is_read(request_: str, kind: str, observed: str) -> None:
    line = WITH_PORT.format(request_).encode()
    assert Squid().recognises(line)
    event = Squid().parse(line)
    assert isinstance(event, UrlEvent)
    assert (event.kind, event.observed, event.client) == (kind, observed, "10.20.3.4")


def test_a_space_in_its_url_is_no_guess() -> None:
    fault = Squid().parse(WITH_PORT.format("GET http://a.example/b c").encode())
    assert isinstance(fault, Rejected)


def test_where_the_format_is_set_combined_lines_are_read_too() -> None:
    line = (
        b'10.20.3.4 - kim [20/Nov/2026:09:00:03 +0000] "GET http://a.example/b HTTP/1.1" 200 5 '
        b'"-" "curl" TCP_MISS:HIER_DIRECT'
    )
    event = Squid().parse(line)
    assert isinstance(event, UrlEvent)
    assert (event.observed, event.client) == ("http://a.example/b", "10.20.3.4")
    assert not Squid().recognises(line)
