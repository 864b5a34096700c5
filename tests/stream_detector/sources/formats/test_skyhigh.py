"""The access log of Skyhigh's gateway."""

import pytest

from stream_detector.sources.formats.skyhigh import Skyhigh
from support.log_lines import MALFORMED, Read, read_line

FORMAT = Skyhigh()
TIME = "2026-01-02T03:04:05"
START = '[02/Jan/2026:03:04:05 +0000] "anna" 10.0.0.9 200 '
END = ' "News" "Minimal Risk" "text/html" 512 "Mozilla/5.0" "" "0" ""'

SAMPLES: list[tuple[str, Read]] = [
    (
        START + '"GET http://a.example/b?c HTTP/1.1"' + END,
        ("url", "http://a.example/b?c", "10.0.0.9", TIME),
    ),
    (START + '"CONNECT a.example:443 HTTP/1.1"' + END, ("host", "a.example:443", "10.0.0.9", TIME)),
    (
        START.replace("anna", "").replace("10.0.0.9", "2001:db8::9")
        + '"POST http://a.example/b c HTTP/1.1"'
        + END,
        ("url", "http://a.example/b c", "2001:db8::9", TIME),
    ),
    (START + '"-"' + END, MALFORMED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
