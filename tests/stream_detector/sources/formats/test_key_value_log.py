"""``key=value`` of any product."""

import pytest

from stream_detector.sources.registry import SOURCES
from support.log_lines import NO_URL, Read, read_line

FORMAT = SOURCES["key_value"]
TIME = "2026-01-02T03:04:05"
ZSCALER = "2026-01-02 03:04:05\treason=Allowed by rule\tevent_id=7\taction=Allowed\tproduct=NSS\t"

SAMPLES: list[tuple[str, Read]] = [
    (
        ZSCALER + "requestmethod=GET\tClientIP=10.0.0.9\turl=a.example/b%20c\thostname=a.example",
        ("url", "a.example/b%20c", "10.0.0.9", TIME),
    ),
    (
        ZSCALER + "requestmethod=CONNECT\tClientIP=10.0.0.9\turl=a.example:443\thostname=a.example",
        ("host", "a.example:443", "10.0.0.9", TIME),
    ),
    (
        "2026-01-02 03:04:05\tuser=anna\tdns_reqtype=A\tdns_req=a.example\tclt_sip=10.0.0.9",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "ZSCALERNSS: time=Fri Jan 02 03:04:05 2026^^timezone=GMT^^action=Blocked by rule^^"
        "url=http://a.example/b?c=d^^ClientIP=10.0.0.9^^refererURL=None^^requestmethod=GET",
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        "McAfeeWG|time_stamp=[02/Jan/2026:03:04:05 +0000]|auth_user=anna|src_ip=10.0.0.9|"
        "host=a.example|method=GET|url=http://a.example/b?c=d|user_agent=curl x",
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        'ASM:unit_hostname="waf1",ip_client="10.0.0.9",method="GET",uri="/b",violations="x, y",'
        'request="GET /b?c=d HTTP/1.1\\r\\nHost: a.example\\r\\nAccept: */*"',
        ("url", "http://a.example/b?c=d", "10.0.0.9", None),
    ),
    (
        'SPLV5.1 c-ip=10.0.0.9 cs-categories="x y" cs-host=a.example cs-method=GET cs-uri-path=/b '
        "cs-uri-port=8000 cs-uri-scheme=http s-ip=192.0.2.1",
        ("url", "http://a.example:8000/b", "10.0.0.9", None),
    ),
    (
        'time=2026-01-02T03:04:05Z level=info msg="request done" '
        'url="http://a.example/b?c=d" src=10.0.0.9',
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        'at=info method=GET path="/b" host=a.example fwd="10.0.0.9" remote_addr=10.0.0.9:5353',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        "src_ip=10.0.0.9;dst_port=443;sni=a.example.com;timestamp=1767323045",
        ("host", "a.example.com", "10.0.0.9", TIME),
    ),
    (
        'date=2026-01-02,time=03:04:05,tz=+0100,client_ip=10.0.0.9,request_url="http://a.example/,b"',
        ("url", "http://a.example/,b", "10.0.0.9", "2026-01-02T02:04:05"),
    ),
    ("time=03:04:05 url=- src=10.0.0.9", NO_URL),
    ("level=info url=/b src=10.0.0.9", NO_URL),
    ("level=info dhost=LAPTOP-7 src=10.0.0.9", NO_URL),
]


@pytest.mark.parametrize(
    "line",
    [
        "url=http://a.example/",
        "level=info host=proxy1 msg=started",
        "anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
        "http://a.example/?a=b url=c",
        "a.example",
        "",
    ],
)
def test_lines_that_name_no_target_are_not_recognised(line: str) -> None:
    assert not FORMAT.recognises(line.encode())


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
