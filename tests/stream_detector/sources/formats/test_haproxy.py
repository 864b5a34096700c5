"""HAProxy's HTTP and HTTPS log."""

import pytest

from stream_detector.sources.formats.haproxy import HaProxy
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = HaProxy()
START = (
    "10.0.0.9:5353 [02/Jan/2026:03:04:05.678] web~ be/s1 0/0/1/2/3 200 56 - - ---- 1/1/0/0/0 0/0 "
)

SAMPLES: list[tuple[str, Read]] = [
    (
        START + '"GET http://a.example/b HTTP/1.1"',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        START + '{a.example.com|Mozilla/5.0 (X11)} {} "GET /b?c=d HTTP/1.1"',
        ("url", "http://a.example.com/b?c=d", "10.0.0.9", None),
    ),
    (
        START + '"GET /b HTTP/1.1" 0/00000000000000000/00/00/0 a.example.com/TLSv1.3/TLS_AES_128',
        ("url", "http://a.example.com/b", "10.0.0.9", None),
    ),
    (
        START.replace("10.0.0.9", "2001:db8::9") + '"CONNECT a.example:443 HTTP/1.1"',
        ("host", "a.example:443", "2001:db8::9", None),
    ),
    (START + '"GET /b HTTP/1.1"', NO_URL),
    (START + '{curl/8} "GET /b HTTP/1.1"', NO_URL),
    (START + '"<BADREQ>"', IGNORED),
    ("10.0.0.9:5353 [02/Jan/2026:03:04:05.678] tcp be/s1 1/0/5 212 -- 1/1/1/1/0 0/0", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
