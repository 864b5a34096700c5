"""The debug log of Microsoft's DNS server."""

import pytest

from stream_detector.sources.formats.windows_dns import WindowsDns
from support.log_lines import IGNORED, MALFORMED, Read, read_line

FORMAT = WindowsDns()
PACKET = "0E70 PACKET  000000C8A1B2C3D0 UDP "
ASKED: Read = ("host", "a.example", "10.0.0.9", None)

SAMPLES: list[tuple[str, Read]] = [
    (
        "1/2/2026 3:04:05 AM "
        + PACKET
        + "Rcv 10.0.0.9        5b47   Q [0001   D   NOERROR] A      (1)a(7)example(0)",
        ASKED,
    ),
    (
        "02.01.2026 03:04:05 "
        + PACKET
        + "Rcv 10.0.0.9        5b47   Q [0001   D   NOERROR] HTTPS  (1)a(7)example(0)",
        ASKED,
    ),
    (
        "2026-01-02 03:04:05 "
        + PACKET
        + "Rcv ::1             5b47   Q [0001   D   NOERROR] AAAA   (3)a b(7)example(3)com(0)",
        ("host", "example.com", "::1", None),
    ),
    (
        "1/2/2026 3:04:05 AM "
        + PACKET
        + "Snd 10.0.0.9        5b47 R Q [8081   DR  NOERROR] A      (1)a(7)example(0)",
        IGNORED,
    ),
    (
        "1/2/2026 3:04:05 AM "
        + PACKET
        + "Snd 192.0.2.53      5b47   Q [0001   D   NOERROR] A      (1)a(7)example(0)",
        IGNORED,
    ),
    ("1/2/2026 3:04:05 AM 0E70 EVENT   The DNS server has started.", IGNORED),
    (
        "1/2/2026 3:04:05 AM "
        + PACKET
        + "Rcv 10.0.0.9        5b47   Q [0001   D   NOERROR] A      (9)a(7)example",
        MALFORMED,
    ),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
