"""Cuts dead letters to what one may be, before they are masked and after.

Masking takes memory by the byte, and may make text longer. Text that is cut in front of an ``@``
no longer shows that what stands before it is a password: it is cut so that masking still sees it.
"""

import re

import msgspec

from stream_detector.events import DeadLetter
from stream_detector.limits import LETTER_KEY_BYTES_MAX, LETTER_VALUE_BYTES_MAX

_STRING_END = re.compile(rb'(?<!\\)"|[\r\n]')
_AT = re.compile(rb"@|%(?:25)*40|u0040", re.IGNORECASE)
_AT_BYTES_MAX = 16
"""The longest spelling of an ``@`` that a cut may divide."""


def cut_letter(letter: DeadLetter, *, value_bytes_max: int = LETTER_VALUE_BYTES_MAX) -> DeadLetter:
    """``letter`` with key and value cut, if they are too long; not masked yet."""
    key = _cut(letter.key, LETTER_KEY_BYTES_MAX)
    value = _cut(letter.value, value_bytes_max)
    return letter if key is letter.key and value is letter.value else _with(letter, key, value)


def cut_masked_letter(
    letter: DeadLetter, *, value_bytes_max: int = LETTER_VALUE_BYTES_MAX
) -> DeadLetter:
    """As ``cut_letter``, once it is masked: nothing in it needs to be seen any more."""
    key = letter.key and letter.key[:LETTER_KEY_BYTES_MAX]
    value = letter.value and letter.value[:value_bytes_max]
    return letter if key == letter.key and value == letter.value else _with(letter, key, value)


def _with(letter: DeadLetter, key: bytes | None, value: bytes | None) -> DeadLetter:
    """``letter`` with shorter parts, and the lengths of the parts that were read."""
    changes: dict[str, bytes | int | None] = {}
    if key != letter.key:
        changes["key"] = key
        changes["key_cut_from"] = letter.key_cut_from or len(letter.key or b"")
    if value != letter.value:
        changes["value"] = value
        changes["value_cut_from"] = letter.value_cut_from or len(letter.value or b"")
    return msgspec.structs.replace(letter, **changes)


def _cut(part: bytes | None, bytes_max: int) -> bytes | None:
    """The beginning of ``part``; with an ``@`` behind it where its last string has one later."""
    if part is None or len(part) <= bytes_max:
        return part
    string_end = _STRING_END.search(part, bytes_max)
    end = string_end.start() if string_end is not None else len(part)
    goes_on_with_at = _AT.search(part, bytes_max - _AT_BYTES_MAX, end) is not None
    return part[:bytes_max] + b"@" * goes_on_with_at
