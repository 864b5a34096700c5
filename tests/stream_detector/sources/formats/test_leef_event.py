"""LEEF of any product."""

import pytest

from stream_detector.sources.formats.leef_event import Leef
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

FORMAT = Leef()
START = "LEEF:1.0|Example|Proxy|1.0|7|"
PAN = "LEEF:1.0|Palo Alto Networks|PAN-OS Syslog Integration|10.1|alert|"
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        START + "devTime=1767323045000\tsrc=10.0.0.9\tdst=192.0.2.7\turl=http://a.example/b?c=d",
        ("url", "http://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        "LEEF:2.0|Example|Proxy|1.0|7|^|devTime=Jan 02 2026 03:04:05 GMT^src=10.0.0.9^"
        "url=a.example/b",
        ("url", "a.example/b", "10.0.0.9", TIME),
    ),
    (
        "LEEF:1.0|Zscaler|NSS|6.1|Allowed|cat=Allowed\tdevTime=Jan 02 2026 03:04:05 GMT\t"
        "src=10.0.0.9\trole=Staff\turl=a.example/b%20c\trecordid=1",
        ("url", "a.example/b%20c", "10.0.0.9", TIME),
    ),
    (
        PAN + "ReceiveTime=2026/01/02 03:04:05|Type=THREAT|Subtype=url|src=10.0.0.9|"
        'Application=web-browsing|Miscellaneous="a.example/b"|Action=alert',
        ("url", "a.example/b", "10.0.0.9", None),
    ),
    (
        PAN + 'Type=THREAT|Subtype=spyware|src=10.0.0.9|Application=dns|Miscellaneous="a.example"',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        PAN + 'Type=THREAT|Subtype=virus|src=10.0.0.9|Application=smtp|Miscellaneous="b.exe"',
        IGNORED,
    ),
    (
        START + "src=10.0.0.9#011sni=a.example.com#011dstPort=443",
        ("host", "a.example.com", "10.0.0.9", None),
    ),
    (START + "src=10.0.0.9\tdst=192.0.2.7\tusrName=anna\thostname=proxy1", IGNORED),
    (START + "src=10.0.0.9\turl=/b", NO_URL),
    ("LEEF:1.0|Example|Proxy|1.0", MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
