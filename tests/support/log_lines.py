"""What a format makes of one line, short enough for a table."""

from stream_detector.events import Rejected, UrlEvent
from stream_detector.sources.base import Source

Read = tuple[str, str, str | None, str | None]
"""Kind, observed, client and time; kinds ``ignored`` and ``no_url``, ``malformed`` have no more."""

IGNORED: Read = ("ignored", "", None, None)
NO_URL: Read = ("no_url", "", None, None)
MALFORMED: Read = ("malformed", "", None, None)


def read_line(source: Source, line: str | bytes) -> Read:
    """The line's result; asserts that the format recognises it."""
    content = line if isinstance(line, bytes) else line.encode()
    assert source.recognises(content)
    result = source.parse(content)
    assert not isinstance(result, tuple)
    if isinstance(result, UrlEvent):
        time = None if result.time is None else f"{result.time:%Y-%m-%dT%H:%M:%S}"
        return result.kind, result.observed, result.client, time
    if isinstance(result, Rejected):
        assert result.detail
        return result.reason.value, "", None, None
    assert result.what
    return IGNORED
