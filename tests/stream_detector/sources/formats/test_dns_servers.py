"""PowerDNS, CoreDNS and Knot Resolver."""

import pytest

from stream_detector.sources.base import Source
from stream_detector.sources.formats.dns_servers import CoreDns, KnotResolver, PowerDns
from support.log_lines import IGNORED, Read, read_line

ASKED: Read = ("host", "a.example", "10.0.0.9", None)
TIME = "2026-01-02T03:04:05"
CLF = "10.0.0.9:5353 - [02/Jan/2026:03:04:05 +0000]"

SAMPLES_BY_FORMAT: list[tuple[Source, str, Read]] = [
    (PowerDns(), "[3] question for 'a.example|A' from 10.0.0.9:5353", ASKED),
    (PowerDns(), "Jan 02 03:04:05 [3] question for 'a.example|AAAA' from 10.0.0.9", ASKED),
    (PowerDns(), "[3] 7 [1/1] question for 'a.example|A' from 10.0.0.9:5353", ASKED),
    (
        PowerDns(),
        "Remote 10.0.0.9 wants 'a.example|A', do = 0, bufsize = 512: packetcache MISS",
        ASKED,
    ),
    (PowerDns(), "[3] answer to question 'a.example|A': 1 answers, 0 additional", IGNORED),
    (
        CoreDns(),
        '[INFO] 10.0.0.9:5353 - 7 "A IN a.example. udp 41 false 4096" NOERROR qr,rd,ra 98 0.01s',
        ("host", "a.example.", "10.0.0.9", None),
    ),
    (
        CoreDns(),
        "2026-01-02T03:04:05.678Z [INFO] [2001:db8::9]:5353 - 7 "
        '"AAAA IN a.example. tcp 41 true 1" -',
        ("host", "a.example.", "2001:db8::9", TIME),
    ),
    (
        CoreDns(),
        CLF + ' "A IN a.example. udp 41 false 4096" NOERROR qr,rd,ra 98 0.01s',
        ("host", "a.example.", "10.0.0.9", TIME),
    ),
    (CoreDns(), "[ERROR] plugin/errors: 2 a.example. A: read udp 10.0.0.2:1->10.0.0.3:53", IGNORED),
    (
        KnotResolver(),
        "[plan  ][00000.00]   plan 'a.example.' type 'A' uid [65536.00]",
        ("host", "a.example.", None, None),
    ),
    (KnotResolver(), "[plan  ][65536.01]   plan 'ns.b.example.' type 'AAAA' uid [1.02]", IGNORED),
    (KnotResolver(), "[cache ][65536.00]   => no NSEC* cached for zone: example.", IGNORED),
]
SAMPLES = [(line, read) for _, line, read in SAMPLES_BY_FORMAT]


@pytest.mark.parametrize(("source", "line", "read"), SAMPLES_BY_FORMAT)
def test_read(source: Source, line: str, read: Read) -> None:
    assert read_line(source, line) == read
