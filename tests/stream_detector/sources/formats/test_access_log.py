"""Common and combined logs of web servers and Squid."""

import pytest

from stream_detector.sources.formats.access_log import AccessLog
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = AccessLog()
START = "10.0.0.9 - - [02/Jan/2026:03:04:05 +0100] "
TIME = "2026-01-02T02:04:05"

SAMPLES: list[tuple[str | bytes, Read]] = [
    (
        START + '"GET http://a.example/b?c HTTP/1.1" 200 56',
        ("url", "http://a.example/b?c", "10.0.0.9", TIME),
    ),
    (
        '10.0.0.9 - anna berg [02/Jan/2026:03:04:05 +0000] "GET http://a.example/b HTTP/1.1" 200 '
        '56 "http://r.example/" "curl/8" TCP_MISS:HIER_DIRECT',
        ("url", "http://a.example/b", "10.0.0.9", "2026-01-02T03:04:05"),
    ),
    (
        START + '"CONNECT a.example:443 HTTP/1.1" 200 56 "-" "curl/8" TCP_TUNNEL:HIER_DIRECT',
        ("host", "a.example:443", "10.0.0.9", TIME),
    ),
    (
        '2001:db8::9 - - [02/Jan/2026:03:04:05 +0100] "GET http://[2001:db8::1]/b HTTP/1.1" 200 5',
        ("url", "http://[2001:db8::1]/b", "2001:db8::9", TIME),
    ),
    (
        'www.a.example:443 10.0.0.9 - - [02/Jan/2026:03:04:05 +0100] "GET /b HTTP/1.1" 200 56 "-"',
        ("url", "http://www.a.example:443/b", "10.0.0.9", TIME),
    ),
    (
        'www.a.example 10.0.0.9 - - [02/Jan/2026:03:04:05 +0100] "GET /b HTTP/1.1" 200 56 "-"',
        ("url", "http://www.a.example/b", "10.0.0.9", TIME),
    ),
    (
        '10.0.0.9:5353 www.a.example:8080 - - [02/Jan/2026:03:04:05 +0100] "GET /b HTTP/1.1" 200 5',
        ("url", "http://www.a.example:8080/b", "10.0.0.9", TIME),
    ),
    (
        'a.example 10.0.0.9, 192.0.2.1 - - [02/Jan/2026:03:04:05 +0100] "GET /b HTTP/1.1" 200 5',
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        'a.example:80 "10.0.0.9, 192.0.2.1" 192.0.2.2 - - '
        '[02/Jan/2026:03:04:05 +0100] "GET /b" 200 5',
        ("url", "http://a.example:80/b", "10.0.0.9", TIME),
    ),
    (
        START + '"GET http://a.example/b c/d.exe HTTP/1.1" 200 56',
        ("url", "http://a.example/b c/d.exe", "10.0.0.9", TIME),
    ),
    (
        START + r'"GET http://a.example/\x22b\"c HTTP/1.0" 200 56',
        ("url", "http://a.example/%22b%22c", "10.0.0.9", TIME),
    ),
    (
        START.encode() + b'"GET http://a.example/caf\xe9 HTTP/1.0" 200 56',
        ("url", "http://a.example/caf%E9", "10.0.0.9", TIME),
    ),
    (
        '10.0.0.9:5000 - - [02/Jan/2026:03:04:05 +0100] "GET http://a.example/ HTTP/1.1" 200 5',
        ("url", "http://a.example/", "10.0.0.9", TIME),
    ),
    (START + '"GET /login HTTP/1.1" 200 56 "https://r.example/" "Mozilla/5.0 (X11)"', NO_URL),
    (START + '"GET / HTTP/1.1" 200 19 "-" "-" 1 "r@docker" "http://172.17.0.2:80" 0ms', NO_URL),
    (START + '"-" 408 - "-" "-"', IGNORED),
    (START + r'"\x16\x03\x01" 400 157 "-" "-"', IGNORED),
    (START + '"NONE error:invalid-request HTTP/0.0" 400 3400', IGNORED),
    (START + '"OPTIONS * HTTP/1.0" 200 -', IGNORED),
    (START + '"GET http://a.example/b', MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str | bytes, read: Read) -> None:
    assert read_line(FORMAT, line) == read
