"""Check Point's Log Exporter."""

import pytest

from stream_detector.sources.formats.check_point import CheckPoint
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = CheckPoint()
START = (
    '[action:"Accept"; flags:"133440"; ifdir:"inbound"; loguid:"{0x5e,0x0}"; time:"1767323045"; '
)
POLICY = r'__policy_id_tag:"product=VPN-1[db_tag={A};policy_name=Standard\]"; '
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        START
        + POLICY
        + 'product:"URL Filtering"; resource:"http://a.example/b?c=\\"d"; src:"10.0.0.9"]',
        ("url", 'http://a.example/b?c="d', "10.0.0.9", TIME),
    ),
    (
        START + 'src:"10.0.0.9"; tls_server_host_name:"a.example"]',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        START + 'service_id:"domain-udp"; resource:"a.example"; src:"10.0.0.9"]',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        START + 'dns_query:"a.example"; src:"10.0.0.9"]',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        "time=1767323045|hostname=manager|product=URL Filtering|action=Block|src=10.0.0.9|"
        "resource=https://a.example/b|severity=Low",
        ("url", "https://a.example/b", "10.0.0.9", TIME),
    ),
    (
        '[sc4s@2620 action="Detect" time="1767323045" src="10.0.0.9" resource="http://a.example/b"]',
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        'Log [Fields@1.3.6.1.4.1.2620 src="10.0.0.9" resource="http://a.example/b" ]',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (START + 'dst:"192.0.2.7"; product:"VPN-1 & FireWall-1"; src:"10.0.0.9"]', IGNORED),
    ('[flags:"133440"; ifdir:"inbound"; sys_message::"installed Standard"]', IGNORED),
    (START + 'product:"URL Filtering"; src:"10.0.0.9"; resource:""]', NO_URL),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
