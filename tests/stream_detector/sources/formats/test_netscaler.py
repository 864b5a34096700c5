"""Citrix ADC."""

import pytest

from stream_detector.sources.formats.netscaler import NetScaler
from support.log_lines import IGNORED, Read, read_line

FORMAT = NetScaler()
START = "01/02/2026:03:04:05 GMT ns1 0-PPE-0 : "

SAMPLES: list[tuple[str, Read]] = [
    (
        START
        + "URLFILT URLFILT_LOG 7 0 : Source 10.0.0.9 - Destination 192.0.2.7 URL a.example/b - "
        "Category x",
        ("url", "a.example/b", "10.0.0.9", None),
    ),
    (
        START
        + "default APPFW APPFW_STARTURL 7 0 :  10.0.0.9 616-PPE1 y/3 p http://a.example/b?c=d "
        "Disallow Illegal URL <blocked>",
        ("url", "http://a.example/b?c=d", "10.0.0.9", None),
    ),
    (
        START + "CI INLINE_INSPECTION_LOG 7 0 : ID 1 - Source 10.0.0.9:5353 - Destination "
        "192.0.2.7:443 Protocol HTTPS - URL https://a.example/b - Domain a.example",
        ("url", "https://a.example/b", "10.0.0.9", None),
    ),
    (
        START + "DNS DNS_QUERY 7 0 : Source 10.0.0.9:5353 - Destination 192.0.2.53:53 User: anna - "
        "Domain: a.example - Category: 15",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (START + "TCP CONN_TERMINATE 7 0 : Source 10.0.0.9:80 - Destination 192.0.2.7:1", IGNORED),
    (START + "APPFW APPFW_BUFFEROVERFLOW_URL 7 0 : URL length(2150) is too long", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
