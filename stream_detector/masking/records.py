"""Credentials and queries out of the bytes of records that could not be read."""

import re

from stream_detector.masking import MASK

__all__ = ["before_query", "without_credentials"]

_MASK_BYTES = MASK.encode()
_ESCAPED = re.compile(rb"\\/|\\u00(2f|3a|40)|%(2f|3a|40)", re.IGNORECASE)
_SEGMENT_END = re.compile(rb'((?<!\\)"|[\r\n])')
_NETWORK_SCHEME = re.compile(rb"(?:https?|ftp|wss?):/+", re.IGNORECASE)
_CUT_OFF = re.compile(rb"(?<=//)[^/\\?#\s:\[]*:(?![0-9]{0,5}(?:[/\\?#\s]|$)).*", re.DOTALL)
_QUERY_START = re.compile(rb"\?|\\.?u.?0.?0.?3.?f|(?<=\S)#", re.IGNORECASE | re.DOTALL)
"""A question mark as JSON may escape it too, whose bytes may be UTF-16's or have one too many."""


def without_credentials(value: bytes) -> bytes | None:
    """``value`` with all masked that looks like user info; None where it can't be done in place.

    No parser made sense of these bytes, so this goes by looks, and rather masks too much: from
    a scheme, ``//`` or a word with a colon to the last ``@`` of the same line and string; where a
    line is cut off before its ``@``, what follows ``//`` if a colon stands in it and no port.
    """
    if b"\0" in value:  # UTF-16, perhaps
        without_nul = value.replace(b"\0", b"")
        return value if without_credentials(without_nul) == without_nul else None
    plain = _ESCAPED.sub(_unescaped, value)
    masked = b"".join(map(_segment_without_credentials, _SEGMENT_END.split(plain)))
    return value if masked == plain else masked


def _unescaped(escape: re.Match[bytes]) -> bytes:
    digits = escape[1] or escape[2]
    return bytes.fromhex(digits.decode()) if digits else b"/"


def _segment_without_credentials(segment: bytes) -> bytes:
    head, at, tail = segment.rpartition(b"@")
    if not at:
        return _CUT_OFF.sub(_MASK_BYTES, segment)
    places = [place for place in (head.find(b":"), head.find(b"//")) if place >= 0]
    if not places:
        return segment
    words_before = head[: min(places)]
    start = max(words_before.rfind(space) for space in (b" ", b"\t")) + 1
    scheme = _NETWORK_SCHEME.match(head, start)
    return head[: scheme.end() if scheme else start] + _MASK_BYTES + at + tail


def before_query(value: bytes) -> bytes:
    """``value`` up to its first query or fragment, with the delimiter.

    What follows can't be told apart in bytes that no parser made sense of.
    """
    delimiter = _QUERY_START.search(value)
    return value if delimiter is None else value[: delimiter.end()]
