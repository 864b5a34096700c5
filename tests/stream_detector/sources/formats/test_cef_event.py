"""CEF of any product."""

import pytest

from stream_detector.sources.formats.cef_event import Cef
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = Cef()
START = "CEF:0|Example|Proxy|1.0|7|GET|3|"
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        START + r"rt=1767323045000 src=10.0.0.9 spt=5353 request=http://a.example/b?c\=d&e=f x=y",
        ("url", "http://a.example/b?c=d&e=f", "10.0.0.9", TIME),
    ),
    (
        START + "rt=Jan 02 2026 03:04:05 UTC src=10.0.0.9 request=http://a.example/b c msg=d",
        ("url", "http://a.example/b c", "10.0.0.9", TIME),
    ),
    (
        START + "end=Jan 02 2026 03:04:05 src=10.0.0.9 request=a.example.com/b",
        ("url", "a.example.com/b", "10.0.0.9", None),
    ),
    (
        START + "src=10.0.0.9 dhost=a.example request=/b requestMethod=GET dpt=8080",
        ("url", "http://a.example:8080/b", "10.0.0.9", None),
    ),
    (
        START + "src=10.0.0.9 requestMethod=CONNECT request=a.example:443",
        ("host", "a.example:443", "10.0.0.9", None),
    ),
    (
        START + r"src=10.0.0.9 request=GET /b HTTP/1.1\r\nHost: a.example\r\n cn1=1",
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        START + "cs3Label=URL cs3=http://a.example/b c6a2=2001:db8::9",
        ("url", "http://a.example/b", "2001:db8::9", None),
    ),
    (
        START + "src=10.0.0.9 destinationDnsDomain=a.example dpt=53",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        START + "src=10.0.0.9 dhost=a.example app=HTTPS",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "CEF:0|Infoblox|NIOS|8.6|RPZ-QNAME|NXDOMAIN|7|app=DNS dst=192.0.2.53 src=10.0.0.9 qtype=A "
        'msg="rpz QNAME NXDOMAIN rewrite a.example [A] via a.example.rpz" CAT=RPZ',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        r"CEF:0|Ex\|ample|Pro\\xy|1|7|GET|3|request=http://a.example/",
        ("url", "http://a.example/", None, None),
    ),
    (
        "CEF:0|Palo Alto Networks|PAN-OS|10.1|url|THREAT|1|rt=Jan 02 2026 03:04:05 GMT "
        "src=10.0.0.9 cs2Label=URL Category cs2=business "
        'request="a.example/b?c=d" flexString2=client-to-server',
        ("url", "a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        "CEF:0|Fortinet|Fortigate|v7.4|13056|utm:webfilter|4|cat=utm:webfilter src=10.0.0.9 "
        "dhost=a.example dpt=443 act=blocked request=/b FTNTFGTmethod=domain",
        ("url", "https://a.example/b", "10.0.0.9", None),
    ),
    (
        "CEF:0|Fortinet|Fortigate|v7.4|54802|utm:dns|3|src=10.0.0.9 dpt=53 FTNTFGTqname=a.example",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (START + 'src=10.0.0.9 request="b.exe"', IGNORED),
    (START + "src=10.0.0.9 dhost=LAPTOP-7 dpt=443 act=blocked", IGNORED),
    (START + "src=10.0.0.9 dst=192.0.2.7 act=Accept", IGNORED),
    (START + "request=/b src=10.0.0.9", NO_URL),
    ("CEF:0|Example|Proxy|1.0|7", MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
