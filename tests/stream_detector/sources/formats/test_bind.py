"""BIND 9's query log."""

import pytest

from stream_detector.sources.formats.bind import Bind
from support.log_lines import IGNORED, Read, read_line

FORMAT = Bind()
CLIENT = "client @0x7f12ab 10.0.0.9#5353 (a.example): "

SAMPLES: list[tuple[str, Read]] = [
    (
        "02-Jan-2026 03:04:05.678 queries: info: "
        + CLIENT
        + "query: a.example IN A +E(0)K (192.0.2.53)",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "2026-01-02T03:04:05.678Z queries: info: client @0x7f12ab 2001:db8::9#5353 "
        "(a.example): view lan: query: a.example IN HTTPS + (::1)",
        ("host", "a.example", "2001:db8::9", "2026-01-02T03:04:05"),
    ),
    (
        "client 10.0.0.9#5353: query: a.example IN A +",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "queries: client 10.0.0.9#5353 (a.example): query: a.example IN TYPE65 -EDC (192.0.2.53)",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "client 10.0.0.9#5353/key host1 (a.example): query: a.example IN SOA -S (192.0.2.53)",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "security: info: " + CLIENT + "query (cache) 'a.example/A/IN' denied",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "rpz: info: "
        + CLIENT
        + "rpz QNAME NXDOMAIN rewrite a.example/A/IN via a.example.rpz.local",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "client 10.0.0.9#5353 (9.0.0.10.in-addr.arpa): query: 9.0.0.10.in-addr.arpa IN PTR + (::1)",
        IGNORED,
    ),
    ("client 10.0.0.9#5353 (printer): query: printer IN A + (192.0.2.53)", IGNORED),
    (
        "infoblox-responses: 02-Jan-2026 03:04:05.678 client 10.0.0.9#5353: view 2: UDP: query: "
        "a.example IN A response: NOERROR +ED a.example. 300 IN A 192.0.2.7;",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "02-Jan-2026 03:04:05.678 client 10.0.0.9#5353 UDP: query: a.example IN A "
        "response: REFUSED -",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        CLIENT + "query failed (REFUSED) for a.example/IN/TXT at query.c:10288",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        CLIENT + "rewriting query name 'a.example' to 'b.example', type A",
        ("host", "a.example", "10.0.0.9", None),
    ),
    ("client 10.0.0.9#5353 (version.bind): query: version.bind CH TXT +T (192.0.2.53)", IGNORED),
    (CLIENT + "transfer of 'a.example/IN': AXFR started", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
