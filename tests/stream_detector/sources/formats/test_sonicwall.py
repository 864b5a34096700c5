"""SonicWall."""

import pytest

from stream_detector.sources.formats.sonicwall import SonicWall
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = SonicWall()
START = 'id=firewall sn=0006 time="2026-01-02 03:04:05{}" fw=192.0.2.1 pri=6 c=1024 '
HIT = (
    START.format(" UTC")
    + 'm=97 msg="Web site hit" src=10.0.0.9:5353:X0:laptop dst=192.0.2.7:443:X1 '
)
TIME = "2026-01-02T03:04:05"

SAMPLES: list[tuple[str, Read]] = [
    (
        HIT + 'usr="Unknown (SSO failed)" proto=tcp/https dstname=a.example arg=/b?c=d code=29',
        ("url", "https://a.example/b?c=d", "10.0.0.9", TIME),
    ),
    (
        HIT
        + "appName='General HTTP' proto=tcp/http op=1 dstname=a.example arg=/b Category=\"x y\"",
        ("url", "http://a.example/b", "10.0.0.9", TIME),
    ),
    (
        START.format("") + "m=14 src=10.0.0.9:5353:X0 proto=tcp/http dstname=192.0.2.7 arg=/",
        ("url", "http://192.0.2.7/", "10.0.0.9", None),
    ),
    (
        START.format("") + "m=97 src=:5353:X0 srcV6=2001:db8::9 dst=::X1 dstname=a.example",
        ("host", "a.example", "2001:db8::9", None),
    ),
    (START.format("") + 'm=98 msg="Connection Opened" src=10.0.0.9:1:X0 dst=192.0.2.7:1', IGNORED),
    (HIT + "proto=tcp/https", NO_URL),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
