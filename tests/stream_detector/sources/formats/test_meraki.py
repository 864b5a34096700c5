"""Cisco Meraki MX."""

import pytest

from stream_detector.sources.formats.meraki import Meraki
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = Meraki()
START = "1767323045.348215340 MX84 urls src=10.0.0.9:5353 dst=192.0.2.7:80 mac=00:00:5E:00:53:01 "
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        "1 " + START + "request: GET http://a.example/b?c=d",
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        START + "agent='x (y)' request: POST http://a.example/b",
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        START + "request: UNKNOWN https://a.example/...",
        ("url", "https://a.example", "10.0.0.9", TIME),
    ),
    (
        "urls src=[2001:db8::9]:5353 dst=[2001:db8::7]:80 mac=x request: GET http://a.example/",
        ("url", "http://a.example/", "2001:db8::9", None),
    ),
    (
        "1767323045.3 MX84 security_event security_filtering_file_scanned "
        "url=http://a.example/b.exe src=10.0.0.9:5353 dst=192.0.2.7:80 mac=x name=b "
        "disposition=malicious action=block",
        ("url", "http://a.example/b.exe", "10.0.0.9", TIME),
    ),
    (
        "1767323045.3 MX84 events content_filtering_block url='https://a.example/b' "
        "category0='x y' server='192.0.2.7:443'",
        ("url", "https://a.example/b", None, TIME),
    ),
    ("1767323045.3 MX84 flows src=10.0.0.9 dst=192.0.2.7 pattern: allow all", IGNORED),
    ("1767323045.3 MX84 security_event ids_alerted signature=1:2 src=192.0.2.7:80", IGNORED),
    (START, NO_URL),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
