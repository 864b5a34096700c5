"""Cuts dead letters, and masks credentials and queries in their bytes, which no parser understood.

Masking takes memory by the byte, and may make text longer, so letters are cut before and after.
Text that is cut in front of an ``@`` no longer shows that a password precedes it: the cut leaves an
``@`` behind for the masking.
"""

import re

import msgspec

from stream_detector.events import DeadLetter
from stream_detector.limits import LETTER_KEY_BYTES_MAX, LETTER_VALUE_BYTES_MAX
from stream_detector.privacy.lines import line_without_secrets
from stream_detector.privacy.mask import MASK

_STRING_END = re.compile(rb'(?<!\\)"|[\r\n]')
_AT = re.compile(rb"@|%(?:25)*40|u0040", re.IGNORECASE)
_AT_BYTES_MAX = 16
"""The longest spelling of an ``@`` that a cut may divide."""

_MASK_BYTES = MASK.encode()
_BREAKS = rb"(?:[\t\n\r]|\\(?:[tnr]|u000[9ad]))*"
"""Browsers drop them from a URL, also within an escape."""
_ESCAPE = rb"(?:\\u00|\\x|%%(?:%(b)s2%(b)s5)?)%(b)s" % {b"b": _BREAKS}
"""Begins the escape of a character in JSON, Zeek and URLs, once or twice encoded."""
_ESCAPED = [
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (rb"\\/|" + _ESCAPE + b"2" + _BREAKS + b"f", b"/"),
        (_ESCAPE + b"3" + _BREAKS + b"a", b":"),
        (_ESCAPE + b"4" + _BREAKS + b"0", b"@"),
    )
]
_SEGMENT = re.compile(rb'(?:[^"\r\n\\]++|\\[^\r\n]?+)++')
"""A string or the rest of a line, which ends at a quote that is not escaped."""
_NETWORK_SCHEME = re.compile(rb"(?:https?|ftp|wss?):/+", re.IGNORECASE)
_COLON = re.compile(b":|//")
_CUT_OFF = re.compile(rb"(?<=//)[^/\\?#\s:\[]*:(?![0-9]{0,5}(?:[/\\?#\s]|$)).*", re.DOTALL)
_QUERY_START = re.compile(
    rb"\?|\\.?(?:u.?0.?0|x).?(?:3.?f|2.?3)|(?<=[^\r\n])#", re.IGNORECASE | re.DOTALL
)
"""Also as JSON or Zeek escape it, in UTF-16 or with a stray byte. A ``#`` that begins a line begins
a header of Zeek's."""


def cut_letter(letter: DeadLetter, *, value_bytes_max: int = LETTER_VALUE_BYTES_MAX) -> DeadLetter:
    """``letter``, not masked yet, with a key and a value that are too long cut."""
    key = _cut(letter.key, LETTER_KEY_BYTES_MAX)
    value = _cut(letter.value, value_bytes_max)
    return letter if key is letter.key and value is letter.value else _with(letter, key, value)


def cut_masked_letter(
    letter: DeadLetter, *, value_bytes_max: int = LETTER_VALUE_BYTES_MAX
) -> DeadLetter:
    """As ``cut_letter``, for a letter that is already masked."""
    key = letter.key and letter.key[:LETTER_KEY_BYTES_MAX]
    value = letter.value and letter.value[:value_bytes_max]
    return letter if key == letter.key and value == letter.value else _with(letter, key, value)


def _with(letter: DeadLetter, key: bytes | None, value: bytes | None) -> DeadLetter:
    """``letter`` with shorter parts, and their original lengths."""
    changes: dict[str, bytes | int | None] = {}
    if key != letter.key:
        changes["key"] = key
        changes["key_cut_from"] = letter.key_cut_from or len(letter.key or b"")
    if value != letter.value:
        changes["value"] = value
        changes["value_cut_from"] = letter.value_cut_from or len(letter.value or b"")
    return msgspec.structs.replace(letter, **changes)


def _cut(part: bytes | None, bytes_max: int) -> bytes | None:
    """The beginning of ``part``, with an ``@`` added where its last string has one later."""
    if part is None or len(part) <= bytes_max:
        return part
    string_end = _STRING_END.search(part, bytes_max)
    end = string_end.start() if string_end is not None else len(part)
    goes_on_with_at = _AT.search(part, bytes_max - _AT_BYTES_MAX, end) is not None
    return part[:bytes_max] + b"@" * goes_on_with_at


def letter_without_credentials(letter: DeadLetter) -> DeadLetter:
    """A dead letter without anything that looks like the user info of a URL, cut where too long."""
    letter = cut_letter(letter)
    key, value = _without_credentials(letter.key), _without_credentials(letter.value)
    detail = line_without_secrets(letter.detail, with_queries=True)
    if (key, value, detail) == (letter.key, letter.value, letter.detail):
        return letter
    return cut_masked_letter(
        msgspec.structs.replace(
            letter, key=key, value=value, detail=detail, withheld=[*letter.withheld, "credentials"]
        )
    )


def _without_credentials(part: bytes | None) -> bytes | None:
    if not part:
        return part
    masked = without_credentials(part)
    return b"" if masked is None else masked


def without_credentials(value: bytes) -> bytes | None:
    """``value`` with everything masked that looks like user info; None for UTF-16 that holds any.

    No parser understood these bytes, so this rather masks too much: from a scheme, ``//`` or a word
    with a colon to the last ``@`` of the same line and string; where a line is cut off before its
    ``@``, the text after ``//`` if it has a colon that begins no port.
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

    Nothing shows where a query ends in bytes that no parser understood.
    """
    delimiter = _QUERY_START.search(value)
    return value if delimiter is None else value[: delimiter.end()]
