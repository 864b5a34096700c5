"""Sysmon's DNS events as XML."""

import pytest

from stream_detector.sources.formats.sysmon_xml import SysmonXml
from support.log_lines import IGNORED, Read, read_line

FORMAT = SysmonXml()
TIME = "2026-01-02T03:04:05"


def event(number: int, *data: str, quote: str = "'") -> str:
    """An event of Sysmon with these data elements."""
    return (
        f"<Event xmlns={quote}http://schemas.microsoft.com/win/2004/08/events/event{quote}><System>"
        f"<Provider Name={quote}Microsoft-Windows-Sysmon{quote}/><EventID>{number}</EventID>"
        "<Computer>pc7.corp.example</Computer></System><EventData>"
        + "".join(data)
        + "</EventData></Event>"
    )


UTC = "<Data Name='UtcTime'>2026-01-02 03:04:05.678</Data>"

SAMPLES: list[tuple[str, Read]] = [
    (
        event(22, UTC, "<Data Name='QueryName'>a.example</Data>"),
        ("host", "a.example", "pc7.corp.example", TIME),
    ),
    (
        event(22, '<Data Name="QueryName">a.example</Data>', quote='"'),
        ("host", "a.example", "pc7.corp.example", None),
    ),
    (event(3, UTC, "<Data Name='DestinationHostname'>a.example</Data>"), IGNORED),
    (event(22, UTC), IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
