"""WatchGuard Firebox."""

import pytest

from stream_detector.sources.formats.watchguard import WatchGuard
from support.log_lines import IGNORED, Read, read_line

FORMAT = WatchGuard()
ADDRESSES = "Allow 1-Trusted 0-External tcp 10.0.0.9 192.0.2.7 5353 80 "

SAMPLES: list[tuple[str, Read]] = [
    (
        'msg_id="1AFF-0024" ' + ADDRESSES + 'msg="HTTP request" op="GET" dstname="a.example" '
        'arg="/b?c=d" sent_bytes="3" (HTTP-proxy-00)',
        ("url", "http://a.example/b?c=d", "10.0.0.9", None),
    ),
    (
        'FVE6000000000 (2026-01-02T03:04:05) firewall: msg_id="1AFF-002C" '
        + ADDRESSES
        + 'msg="ProxyDeny: HTTP bad reputation" host="a.example" path="/b" (HTTP-OUT-00)',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        'https-proxy[7]: msg_id="2CFF-0000" ' + ADDRESSES + 'msg="HTTPS Request" sni="a.example"',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        'msg_id="1DFF-000F" Deny 1-Trusted 0-External udp 10.0.0.9 192.0.2.53 5353 53 '
        'msg="ProxyDeny: DNS question match" query_type="A" question="a.example" (DNS-00)',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        'firewall: msg_id="3000-0148" Allow Firebox 0-External 52 tcp 20 127 10.0.0.9 192.0.2.7 '
        "5353 80 offset 8 S 832 win 8192 (HTTP-00)",
        IGNORED,
    ),
    ('msg_id="1AFF-0001" ' + ADDRESSES + 'msg="ProxyDeny: HTTP timeout"', IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
