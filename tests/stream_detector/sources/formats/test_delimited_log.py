"""Columns that a header or the settings name."""

import pytest

from stream_detector.sources.formats.delimited_log import DelimitedLog, described_by
from support.log_lines import IGNORED, MALFORMED, NO_URL, Read, read_line

TIME = "2026-01-02T03:04:05"
SAMPLES: list[tuple[str, Read]] = []
"""None of its own: no line shows that it is of this format."""


@pytest.mark.parametrize(
    ("header", "line", "read"),
    [
        (
            "timestamp,client_ip,url,user",
            '2026-01-02T03:04:05Z,10.0.0.9,"http://a.example/b,c",anna',
            ("url", "http://a.example/b,c", "10.0.0.9", TIME),
        ),
        (
            "#ts\tsrc_ip\tqname",
            "1767323045\t10.0.0.9\ta.example",
            ("host", "a.example", "10.0.0.9", TIME),
        ),
        (
            "Time;Source IP;Host;Path",
            "-;10.0.0.9;a.example;/b",
            ("url", "http://a.example/b", "10.0.0.9", None),
        ),
        (
            "time;source_ip;host;path",
            "1767323045;10.0.0.9;a.example;/b",
            ("url", "http://a.example/b", "10.0.0.9", TIME),
        ),
        ("src|host", "10.0.0.9|a.example", ("host", "a.example", "10.0.0.9", None)),
        ("src,url", "src,url", IGNORED),
        ("src,url", "10.0.0.9,-", NO_URL),
        ("src,url", "10.0.0.9", MALFORMED),
        ("src,url", '10.0.0.9,"', MALFORMED),
        ("10.0.0.9,http://a.example/,GET,200", "", None),
        ("a.example,b.example", "", None),
        ("one word", "", None),
    ],
)
def test_a_header_names_the_columns(header: str, line: str, read: Read | None) -> None:
    source = described_by(header)
    assert (source is None) == (read is None)
    if source is not None:
        assert read_line(source, line) == read


def test_the_settings_name_the_columns() -> None:
    source = DelimitedLog(["time", "-", "client", "url"], "|")
    line = "1767323045|x|10.0.0.9|a.example.com/b"
    assert read_line(source, line) == ("url", "a.example.com/b", "10.0.0.9", TIME)
