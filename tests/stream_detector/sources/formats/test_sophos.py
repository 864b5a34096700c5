"""Sophos Firewall and UTM."""

import pytest

from stream_detector.sources.formats.sophos import Sophos
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = Sophos()
NEW = (
    'device_name="SFW" timestamp="2026-01-02T03:04:05+0100" device_model="XG" log_id=050901616001 '
)
OLD = 'device="SFW" date=2026-01-02 time=03:04:05 timezone="{}" device_name="XG" device_id=C01 '
UTM = 'id="0001" severity="info" sys="SecureWeb" sub="http" name="http access" '
WEB = 'log_type="Content Filtering" log_component="HTTP" '

SAMPLES: list[tuple[str, Read]] = [
    (
        NEW + WEB + 'url="https://a.example/b?c=d" src_ip="10.0.0.9" domain="a.example" con_id=7',
        ("url", "https://a.example/b?c=d", "10.0.0.9", "2026-01-02T02:04:05"),
    ),
    (
        OLD.format("GMT")
        + WEB
        + 'url="http://a.example/b" src_ip=10.0.0.9 domain=a.example x= y=1',
        ("url", "http://a.example/b", "10.0.0.9", "2026-01-02T03:04:05"),
    ),
    (
        OLD.format("IST") + WEB + 'url="http://a.example/b" src_ip=2001:db8::9',
        ("url", "http://a.example/b", "2001:db8::9", None),
    ),
    (
        OLD.format("GMT")
        + 'log_type="ATP" sourceip=10.0.0.9 destinationip=192.0.2.7 url=192.0.2.7',
        ("url", "192.0.2.7", "10.0.0.9", "2026-01-02T03:04:05"),
    ),
    (
        NEW + 'log_type="SSL" log_component="SSL" src_ip="10.0.0.9" server_name="a.example"',
        ("host", "a.example", "10.0.0.9", "2026-01-02T02:04:05"),
    ),
    (
        UTM + 'method="GET" srcip="10.0.0.9" url="http://a.example/b" ua="x \\"y\\"" referer=""',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        UTM + 'method="CONNECT" srcip="10.0.0.9" url="https://a.example/"',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        'id="0299" severity="info" srcip="10.0.0.9" method="GET" url="/b" server="a.example"',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        'id="0299" srcip="10.0.0.9" host="10.0.0.9" method="GET" url="/b" server="a.example" '
        'port="443" query="?c=d" referer="-"',
        ("url", "http://a.example/b?c=d", "10.0.0.9", None),
    ),
    (
        OLD.format("GMT") + 'log_type="Sandbox" log_component="Web" src_ip=10.0.0.9 '
        'filename="b.exe" source="a.example"',
        ("host", "a.example", "10.0.0.9", "2026-01-02T03:04:05"),
    ),
    (NEW + WEB + 'url="" src_ip="10.0.0.9"', NO_URL),
    (NEW + 'log_type="Firewall" src_ip="10.0.0.9" dst_ip="192.0.2.7"', IGNORED),
    (UTM + 'function="ssl_raw_read" message="error=Broken pipe"', IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
