"""Credentials and queries out of the bytes of records that could not be read."""

import re

from stream_detector.privacy.mask import MASK

_MASK_BYTES = MASK.encode()
_BREAKS = rb"(?:[\t\n\r]|\\(?:[tnr]|u000[9ad]))*"
"""Browsers drop them from a URL, within an escape too."""
_ESCAPE = rb"(?:\\u00|\\x|%%(?:%(b)s2%(b)s5)?)%(b)s" % {b"b": _BREAKS}
"""How JSON, Zeek and URLs, once or twice, begin the escape of a character."""
_ESCAPED = [
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (rb"\\/|" + _ESCAPE + b"2" + _BREAKS + b"f", b"/"),
        (_ESCAPE + b"3" + _BREAKS + b"a", b":"),
        (_ESCAPE + b"4" + _BREAKS + b"0", b"@"),
    )
]
_SEGMENT = re.compile(rb'(?:[^"\r\n\\]++|\\[^\r\n]?+)++')
"""A string or the rest of a line: what ends at no quote that is escaped."""
_NETWORK_SCHEME = re.compile(rb"(?:https?|ftp|wss?):/+", re.IGNORECASE)
_COLON = re.compile(b":|//")
_CUT_OFF = re.compile(rb"(?<=//)[^/\\?#\s:\[]*:(?![0-9]{0,5}(?:[/\\?#\s]|$)).*", re.DOTALL)
_QUERY_START = re.compile(
    rb"\?|\\.?(?:u.?0.?0|x).?(?:3.?f|2.?3)|(?<=[^\r\n])#", re.IGNORECASE | re.DOTALL
)
"""As JSON or Zeek may escape it too, whose bytes may be UTF-16's or have one too many. A ``#`` that
begins a line begins a header of Zeek's."""


def without_credentials(value: bytes) -> bytes | None:
    """``value`` with all masked that looks like user info; None where it can't be done in place.

    No parser made sense of these bytes, so this goes by looks, and rather masks too much: from
    a scheme, ``//`` or a word with a colon to the last ``@`` of the same line and string; where a
    line is cut off before its ``@``, what follows ``//`` if a colon stands in it and no port.
    """
    if b"\0" in value:  # UTF-16, perhaps
        without_nul = value.replace(b"\0", b"")
        return value if without_credentials(without_nul) == without_nul else None
    plain = value
    for escaped, character in _ESCAPED:
        plain = escaped.sub(character, plain)
    masked = _SEGMENT.sub(_without_user_info, plain)
    return value if masked == plain else masked


def _without_user_info(segment: re.Match[bytes]) -> bytes:
    head, at, tail = segment[0].rpartition(b"@")
    if not at:
        return _CUT_OFF.sub(_MASK_BYTES, tail)
    colon = _COLON.search(head)
    if colon is None:
        return segment[0]
    start = max(head.rfind(space, 0, colon.start()) for space in (b" ", b"\t")) + 1
    scheme = _NETWORK_SCHEME.match(head, start)
    return head[: scheme.end() if scheme else start] + _MASK_BYTES + at + tail


def before_query(value: bytes) -> bytes:
    """``value`` up to its first query or fragment, with the delimiter.

    What follows can't be told apart in bytes that no parser made sense of.
    """
    delimiter = _QUERY_START.search(value)
    return value if delimiter is None else value[: delimiter.end()]
