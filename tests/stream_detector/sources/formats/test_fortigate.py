"""FortiGate, FortiProxy and FortiWeb."""

import pytest

from stream_detector.sources.formats.fortigate import FortiGate
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = FortiGate()
START = 'date=2026-01-02 time=03:04:05 devname="fw1" devid="FG1" logid="0317013312" type="utm" '
WEB = START + 'subtype="webfilter" eventtype="ftgd_allow" level="notice" vd="root" '
NANOSECONDS = 'eventtime=1767323045123456789 tz="+0100" policyid=3 sessionid=77 '
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        WEB + NANOSECONDS + 'user="D\\anna" srcip=10.0.0.9 dstport=443 service="HTTPS" '
        'hostname="a.example" url="/b?c=d e" msg="allowed" method="domain"',
        ("url", "https://a.example/b?c=d e", "10.0.0.9", TIME),
    ),
    (
        WEB + 'eventtime=1767323045 srcip=10.0.0.9 hostname="a.example" url="http://a.example/b"',
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        WEB + 'tz="+0100" srcip=2001:db8::9 hostname="192.0.2.7" url="/"',
        ("url", "http://192.0.2.7/", "2001:db8::9", "2026-01-02T02:04:05"),
    ),
    (
        "date=2026-01-02 time=03:04:05 devname=fw1 devid=FG1 logid=0316013056 type=utm "
        "subtype=webfilter level=warning vd=root srcip=10.0.0.9 hostname=a.example url=/b",
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        WEB + 'srcip=10.0.0.9 agent="say \\"url=x\\"" hostname="a.example" url="/b"',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        'date=2026-01-02,time=03:04:05,devname="fw1",logid="0317013312",type="utm",'
        'subtype="webfilter",srcip=10.0.0.9,hostname="a.example",url="/b,c d"',
        ("url", "http://a.example/b,c d", "10.0.0.9", None),
    ),
    (
        START + 'subtype="dns" eventtype="dns-query" ' + NANOSECONDS + "srcip=10.0.0.9 "
        'qname="a.example" qtype="A" qtypeval=1 qclass="IN"',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        START + 'subtype="dns" eventtype="dns-query" srcip=10.0.0.9 qname="9.0.0.10.in-addr.arpa"',
        IGNORED,
    ),
    (
        START + 'subtype="app-ctrl" srcip=10.0.0.9 app="HTTPS.BROWSER" hostname="a.example" '
        'url="/" msg="Web.Client: HTTPS.BROWSER,"',
        ("url", "http://a.example/", "10.0.0.9", None),
    ),
    (
        START + 'subtype="ssl" srcip=10.0.0.9 action="blocked" sni="a.example"',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        'date=2026-01-02 time=03:04:05 tz="-0700" logid="0010000099" type="traffic" '
        'subtype="http-transaction" eventtime=1767323045 srcip=10.0.0.9 hostname="a.example" '
        'url="https://a.example/" httpmethod="CONNECT" rawdata="Header-Host=b.example:443"',
        ("host", "a.example", "10.0.0.9", TIME),
    ),
    (
        "itime=1767323046 date=2026-01-02 time=03:04:05 logver=702 devid=FP1 type=utm "
        "subtype=webfilter srcip=10.0.0.9 httpmethod=CONNECT url=https://a.example:443/",
        ("host", "a.example:443", "10.0.0.9", None),
    ),
    (
        "date=2026-01-02 time=03:04:05 log_id=30000000 msg_id=1 device_id=FV1 type=traffic "
        'subtype="http" src=10.0.0.9 http_method=get http_url="/b" http_host="a.example"',
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (WEB + "srcip=10.0.0.9 hostname= url=", NO_URL),
    (WEB + 'srcip=10.0.0.9 url="/b"', NO_URL),
    (START.replace("utm", "traffic") + 'subtype="forward" srcip=10.0.0.9 dstip=192.0.2.7', IGNORED),
    (START.replace("utm", "event") + 'subtype="vpn" msg="tunnel up"', IGNORED),
    (START + 'subtype="virus" filename="b.exe"', IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
