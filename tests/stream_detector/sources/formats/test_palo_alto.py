"""PAN-OS: columns by their place."""

import pytest

from stream_detector.sources.formats.palo_alto import PaloAlto
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = PaloAlto()


def log(
    url: str = "",
    *,
    kind: str = "THREAT",
    subtype: str = "url",
    application: str = "web-browsing",
    threat: str = "(9999)",
    more: dict[int, str] | None = None,
) -> str:
    """A log with these columns, and no values in most others."""
    columns = [""] * 41
    columns[:8] = ["1", "2026/01/02 03:04:05", "0011", kind, subtype, "2561", "", "10.0.0.9"]
    columns[8], columns[14], columns[22] = "192.0.2.7", application, "4711"
    columns[30:34] = ["alert", url, threat, "business"]
    for place, value in (more or {}).items():
        columns += [""] * (place + 1 - len(columns))
        columns[place] = value
    return ",".join(columns)


SAMPLES: list[tuple[str, Read]] = [
    (log('"a.example.com/b?c=1"'), ("url", "a.example.com/b?c=1", "10.0.0.9", None)),
    (log('"a.example.com/b,c""d"'), ("url", 'a.example.com/b,c"d', "10.0.0.9", None)),
    (log("a.example.com/"), ("url", "a.example.com/", "10.0.0.9", None)),
    (log("192.0.2.7:8080/b"), ("url", "192.0.2.7:8080/b", "10.0.0.9", None)),
    (
        log("a.example.com:443/", more={63: "connect"}),
        ("host", "a.example.com:443", "10.0.0.9", None),
    ),
    (
        log("a.example.com/", more={63: "get", 107: "2026-01-02T03:04:05.678+01:00", 110: ""}),
        ("url", "a.example.com/", "10.0.0.9", "2026-01-02T02:04:05"),
    ),
    (
        log("a.example.com", subtype="spyware", application="dns-base"),
        ("host", "a.example.com", "10.0.0.9", None),
    ),
    (
        log(
            '""',
            subtype="spyware",
            application="dns",
            threat="Suspicious DNS Query (generic:a.example.com)(4000000)",
        ),
        ("host", "a.example.com", "10.0.0.9", None),
    ),
    (
        log("a.example.com/b.exe", subtype="vulnerability"),
        ("url", "a.example.com/b.exe", "10.0.0.9", None),
    ),
    (
        log(kind="DECRYPTION", subtype="0", more={58: "9", 63: "a.example", 64: ""}),
        ("host", "a.example", "10.0.0.9", None),
    ),
    (log(kind="DECRYPTION", subtype="0", more={58: "0", 63: "", 64: ""}), IGNORED),
    (log("b.exe", subtype="virus"), IGNORED),
    (log(kind="TRAFFIC", subtype="end"), IGNORED),
    ("1,2026/01/02 03:04:05,0011,SYSTEM,general,0,2026/01/02 03:04:05,,x", IGNORED),
    (log('"-/"'), NO_URL),
    (log('""'), NO_URL),
    (log('"a.example.com/b'), MALFORMED),
    ("1,2026/01/02 03:04:05,0011,THREAT,url,1,2026/01/02 03:04:05,10.0.0.9", MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
