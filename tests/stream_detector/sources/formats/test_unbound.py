"""unbound's query log."""

import pytest

from stream_detector.sources.formats.unbound import Unbound
from support.log_lines import IGNORED, Read, read_line

FORMAT = Unbound()
START = "[1767323045] unbound[812:0] "
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (START + "info: 10.0.0.9 a.example. A IN", ("host", "a.example.", "10.0.0.9", TIME)),
    (START + "query: 10.0.0.9 a.example. HTTPS IN", ("host", "a.example.", "10.0.0.9", TIME)),
    (
        START + "reply: 2001:db8::9 a.example. A IN NOERROR 0.000000 1 56",
        ("host", "a.example.", "2001:db8::9", TIME),
    ),
    (
        "2026-01-02T03:04:05.678+01:00 unbound[812:a] info: 10.0.0.9 a.example. TYPE65 IN",
        ("host", "a.example.", "10.0.0.9", "2026-01-02T02:04:05"),
    ),
    (
        "Jan 02 03:04:05 unbound[812:0] info: 10.0.0.9 a.example. A IN",
        ("host", "a.example.", "10.0.0.9", None),
    ),
    ("[812:0] info: 10.0.0.9 a.example. A IN", ("host", "a.example.", "10.0.0.9", None)),
    (
        START + "info: bad.example. always_nxdomain 10.0.0.9@5353 a.bad.example. A IN",
        ("host", "a.bad.example.", "10.0.0.9", TIME),
    ),
    (START + "info: 10.0.0.9 9.0.0.10.in-addr.arpa. PTR IN", IGNORED),
    (START + "info: 10.0.0.9 version.bind. TXT CH", IGNORED),
    (START + "info: start of service (unbound 1.19.2).", IGNORED),
    (START + "notice: init module 0: validator", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
