"""Huawei USG."""

import pytest

from stream_detector.sources.formats.huawei_usg import HuaweiUsg
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = HuaweiUsg()
START = "%%01URL/4/FILTER(l): The URL filtering policy was matched. (SyslogId=1, "

SAMPLES: list[tuple[str, Read]] = [
    (
        START
        + 'SrcIp=10.0.0.9, DstIp=192.0.2.7, Page="/b?c=d, e", Host="a.example", Action=Alert)',
        ("url", "http://a.example/b?c=d, e", "10.0.0.9", None),
    ),
    (
        START + 'SrcIp=10.0.0.9, Category="x, y", Page="*", Host="a.example", Action=Block)',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (START + 'SrcIp=10.0.0.9, Page="*", Host="", Action=Block)', NO_URL),
    ("%%01POLICY/6/POLICYPERMIT(l):vsys=public, protocol=17, source-ip=10.0.0.9", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
