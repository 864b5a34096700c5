"""Envoy's and Istio's default access log."""

import pytest

from stream_detector.sources.formats.envoy import Envoy
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = Envoy()
START = "[2026-01-02T03:04:05.678Z] "
ISTIO = " outbound|80||a.example 10.1.0.1:5 10.2.0.1:80 10.0.0.9:5353 "
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        START
        + '"GET /b HTTP/1.1" 200 - 0 89 5 4 "10.0.0.9" "curl/8" "id" "a.example" "192.0.2.7:80"',
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        START
        + '"GET /b HTTP/2" 200 - via_upstream - "-" 0 2 5 4 "-" "curl" "id" "a.example" "-"'
        + ISTIO
        + "- default",
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        START
        + '"CONNECT - HTTP/1.1" 200 - 0 89 5 - "-" "curl" "id" "a.example:443" "192.0.2.7:443"',
        ("host", "a.example:443", None, TIME),
    ),
    (
        START
        + '"- - -" 0 - - - "-" 100 200 3000 - "-" "-" "-" "-" "192.0.2.7:443"'
        + ISTIO
        + "a.example -",
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        START
        + '"- - -" 0 - - - "-" 100 200 3000 - "-" "-" "-" "-" "192.0.2.7:443"'
        + ISTIO
        + "outbound_.443_._.b.svc.cluster.local -",
        IGNORED,
    ),
    (START + '"GET /b HTTP/1.1" 200 - 0 89 5 4 "-" "curl" "id" "-" "192.0.2.7:80"', NO_URL),
    (START + '"GET /b HTTP/1.1" 200 "-"', NO_URL),
    (START + '"GET /b', MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
