"""Recognises secrets by their names: in fields, client settings and log lines."""

import re

from stream_detector.privacy.mask import MASK

_NAMES = (
    r"pass(?:word|wd|phrase|code)s?|(?<!old)pwd|secrets?|token(?!s|i[sz])|credentials?"
    r"|(?:api|private|access|account|client|secret)[ _.-]?key"
    r"|authorization|cookies?|sess(?:ion)?[_.-]?id|jaas[_.-]?config"
)
"""Ends of the names of secrets, in any case; not counts of tokens."""
_NAME = re.compile(_NAMES, re.IGNORECASE)

_END_OF_NAME = r"(?:\\*['\"])?\s*"
_SCHEME = r"(?:basic|bearer|digest|negotiate|token)\s+"
_QUOTED = rf"b?(?P<quote>\\*['\"])(?:{_SCHEME})?)(?:(?!(?P=quote))(?:\\.|.))+"
"""A value in quotes, which may be escaped; the group that stays ends behind its opening quote."""
_BARE = r"(?!b?\\*['\"])(?:[^\s'\",;&]|['\"](?=\w))+"
_PROSE = rf"(?!{_SCHEME})(?-i:[A-Za-z]?[a-z']+)[ \t]+[A-Za-z(]\w*+(?!\s*[:=])"
"""Two words: ``password:`` may end a clause of a sentence."""

_VALUES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"((?:{_NAMES}){_END_OF_NAME}(?:=>|[:=])\s*{_QUOTED}",
        # A pair in a list of headers.
        rf"((?:authorization|cookie)\\*['\"]\s*,\s*{_QUOTED}",
        # Headers that have several parts.
        r"(cookie\s*:\s*)[^\r\n'\"]+",
        r"(authorization\s*:\s*digest\s+)[^\r\n]+",
        rf"((?:{_NAMES}){_END_OF_NAME}"
        rf"(?:=>?\s*|:(?!//|\s)|:\s+(?!{_PROSE}))(?:{_SCHEME})?){_BARE}",
        # An option of a command.
        rf"(--[\w.-]{{0,60}}(?:{_NAMES})\s+)(?!-){_BARE}",
        # Prose about bearers has shorter words.
        r"(\bbearer\s+)[\w.~+/-]{16,}=*",
    )
]
_MAY_HOLD_ONE = re.compile(rf"{_NAMES}|bearer", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether any part of ``name`` names a secret."""
    return _NAME.search(name) is not None


def without_named_secrets(text: str) -> str:
    """``text`` without the values of named secrets, such as ``password=``.

    A value ends with its quotes, or else with its word. After ``password:`` two words, the first in
    lower case, count as prose and stay.
    """
    if _MAY_HOLD_ONE.search(text):
        for values in _VALUES:
            text = values.sub(rf"\1{MASK}", text)
    return text
