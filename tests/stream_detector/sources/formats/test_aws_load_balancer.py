"""AWS's load balancers."""

import pytest

from stream_detector.sources.formats.aws_load_balancer import AwsLoadBalancer
from support.log_lines import IGNORED, MALFORMED, Read, read_line

FORMAT = AwsLoadBalancer()
LB = "2026-01-02T03:04:05.678901Z app/lb/50dc 10.0.0.9:5353 192.0.2.7:80 0.0 0.0 0.0 200 200 34 56 "
REST = ' "curl/8" - - arn:aws:x "Root=1" "-" "-" 0 2026-01-02T03:04:05.657000Z "forward" "-" "-"'
TLS = "tls 2.0 2026-01-02T03:04:05 net/lb/50dc g3d4b5 10.0.0.9:5353 192.0.2.7:443 5 2 98 246 - "
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        "https " + LB + '"GET https://a.example:443/b?c HTTP/1.1"' + REST,
        ("url", "https://a.example:443/b?c", "10.0.0.9", TIME),
    ),
    (
        "h2 "
        + LB.replace("192.0.2.7:80 0.0 0.0 0.0", "- -1 -1 -1")
        + '"GET https://a.example:443/ -"',
        ("url", "https://a.example:443/", "10.0.0.9", TIME),
    ),
    (
        LB.replace("app/lb/50dc", "lb") + '"GET http://a.example:80/b HTTP/1.1" "curl/8" - -',
        ("url", "http://a.example:80/b", "10.0.0.9", TIME),
    ),
    (
        TLS + "arn:aws:acm:x - ECDHE-RSA tlsv12 - a.example h2 h2 - -",
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (TLS + "arn:aws:acm:x - ECDHE-RSA tlsv12 - - - - - -", IGNORED),
    ("http " + LB + '"- http://a.example:80- "' + REST, IGNORED),
    (LB.replace("app/lb/50dc", "lb") + '"- - - " "-" - -', IGNORED),
    ("https " + LB, MALFORMED),
    ("tls 2.0 2026-01-02T03:04:05 net/lb/50dc g3d4b5", MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
