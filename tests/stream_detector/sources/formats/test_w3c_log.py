"""W3C extended logs, with and without their header."""

import pytest

from stream_detector.sources.base import Source
from stream_detector.sources.formats.w3c_log import W3c
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = W3c()
TIME = "2026-01-02T03:04:05"
SAMPLES: list[tuple[str, Read]] = [
    (
        '2026-01-02 03:04:05 57 10.0.0.9 anna - - OBSERVED "Business; x" - 200 TCP_MISS '
        'GET text/html http a.example 80 /b ?c=d - "Mozilla/5.0 (X11)" 192.0.2.1 5 6 -',
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        "2026-01-02 03:04:05 57 10.0.0.9 200 TCP_TUNNELED 5 6 CONNECT tcp a.example 443 / - anna",
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        "2026-01-02 03:04:05 57 10.0.0.9 200 TCP_MISS 5 6 GET http a.example /b - anna DIRECT",
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        "2026-01-02\t03:04:05\tFRA50-P1\t56\t10.0.0.9\tGET\td1.cloudfront.net\t/b\t200\t-\tx%20y\tc=d"
        "\t-\tHit\tid1\ta.example\thttps\t7",
        ("url", "https://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        '2026-01-02 03:04:05 9 10.0.0.9 - - - - "None" - - OBSERVED "x y" 0 TUNNELED '
        'unknown - "ssl" a.example 443 - - 192.0.2.1 42796',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        '33741 2026-01-02 03:04:05 "cloud" 23 10.0.0.9 D\\\\a - - OBSERVED "x" - 200 TCP_NC_MISS '
        'GET image/jpeg https a.example 443 /b - jpg "x y" 192.0.2.1 5 6',
        ("url", "https://a.example/b", "10.0.0.9", TIME),
    ),
    (
        "2026-01-02 03:04:05 W3SVC1 WEB1 192.0.2.1 GET /b c=d 80 - 10.0.0.9 HTTP/1.1 curl/8 - - "
        "a.example 200 0 0 123 456 789",
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    ("2026-01-02 03:04:05 192.0.2.1 GET /b c=d 443 - 10.0.0.9 curl/8 - 200 0 0 5", NO_URL),
    ("#Fields: date time c-ip", IGNORED),
    ("#Software: SGOS 7.3", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read


def described(fields: str) -> Source:
    return FORMAT.for_record([b"#Version: 1.0", b"#Fields: " + fields.encode()])


@pytest.mark.parametrize(
    ("fields", "line", "read"),
    [
        (
            "date time c-ip cs-method cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query",
            "2026-01-02 03:04:05 10.0.0.9 GET https a.example 8443 /b ?c=d",
            ("url", "https://a.example:8443/b?c=d", "10.0.0.9", TIME),
        ),
        (
            "date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) cs-host",
            "2026-01-02 03:04:05 192.0.2.1 GET /b - 443 2001:db8::9 curl/8 a.example",
            ("url", "http://a.example/b", "2001:db8::9", TIME),
        ),
        (
            "c-ip date time r-host cs-uri s-operation",
            '10.0.0.9\t2026-01-02\t03:04:05\ta.example\t"http://a.example/b c"\tGET',
            ("url", "http://a.example/b c", "10.0.0.9", TIME),
        ),
        (
            "timestamp c-ip cs-method cs-uri-scheme cs-host",
            "1767323045 10.0.0.9 - ssl a.example",
            ("host", "a.example", "10.0.0.9", TIME),
        ),
        ("c-ip cs-uri-stem", "10.0.0.9 /b", NO_URL),
        ("c-ip cs-host cs-uri-path", "10.0.0.9 a.example", MALFORMED),
    ],
)
def test_a_header_names_the_columns(fields: str, line: str, read: Read) -> None:
    assert read_line(described(fields), line) == read


def test_a_header_without_fields_changes_nothing() -> None:
    assert FORMAT.for_record([b"#Version: 1.0"]) is FORMAT
