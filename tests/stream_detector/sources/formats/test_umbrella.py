"""Cisco Umbrella's DNS and proxy logs."""

import pytest

from stream_detector.sources.formats.umbrella import Umbrella
from support.log_lines import MALFORMED, NO_URL, Read, read_line

FORMAT = Umbrella()
TIME = "2026-01-02T03:04:05"
START = '"2026-01-02 03:04:05","PC7","PC7,North, Site","10.0.0.9","192.0.2.1",'

SAMPLES: list[tuple[str, Read]] = [
    (
        START + '"Allowed","1 (A)","NOERROR","a.example.","News,Software"',
        ("host", "a.example.", "10.0.0.9", TIME),
    ),
    (
        START + '"Blocked","28 (AAAA)","NOERROR","b.a.example.","Malware","Networks","Networks"',
        ("host", "b.a.example.", "10.0.0.9", TIME),
    ),
    (
        START.replace("10.0.0.9", "") + '"Allowed","1 (A)","NXDOMAIN","a.example.",""',
        ("host", "a.example.", "192.0.2.1", TIME),
    ),
    (
        START
        + '"203.0.113.7","text/html","ALLOWED","http://a.example/b,c?d=""e""","","curl/8","200"',
        ("url", 'http://a.example/b,c?d="e"', "10.0.0.9", TIME),
    ),
    (START + '"203.0.113.7","","ALLOWED","","","","0"', NO_URL),
    (START + '"Allowed","1 (A)"', MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
