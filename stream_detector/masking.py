"""Credentials and query values out of texts and bytes that are written somewhere.

User names and passwords in URLs (``user:password@``) are masked in all that the project writes;
query values where a setting asks for it. A mask is ``***``.
"""

import re
from typing import NamedTuple

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical

__all__ = [
    "MASK",
    "SENSITIVE_NAMES",
    "before_query",
    "is_query_masked",
    "line_without_secrets",
    "observed_without_credentials",
    "with_query_masked",
    "without_credentials",
    "without_nested_credentials",
]

MASK = "***"

_UP_TO_AUTHORITY = re.compile(
    r"(?P<before>[\x00-\x20\ufeff]*(?:(?:https?|ftp|wss?):)?[/\\]*)(?P<authority>[^/\\?#]*)",
    re.IGNORECASE,
)
_LINE_BREAKS = str.maketrans("", "", "\t\n\r")
"""As browsers do, which drop them wherever they stand in a URL."""

_NESTED = re.compile(
    r"((?::|%3a)(?://|%2f%2f))(?:(?!%2f|%3f|%23|%26)[^/\\?#&\s])*(?=@|%40)", re.IGNORECASE
)
"""User info of a URL inside another's path or query, percent-encoded or not."""

_AT = re.compile("@|%(?:25)?40")


class _Encoding(NamedTuple):
    """How parts of a nested URL are told apart, percent-encoded up to so many times."""

    delimiter: re.Pattern[str]
    colon: re.Pattern[str]
    at: re.Pattern[str]


_ENCODINGS = [
    _Encoding(
        re.compile(rf"([/\\?#&]|{percent}(?:2f|5c|3f|23|26))", re.IGNORECASE),
        re.compile(f":|{percent}3a", re.IGNORECASE),
        re.compile(f"@|{percent}40"),
    )
    for percent in ("(?!)", "%", "%(?:25)?")  # never, once, once or twice
]
_BEFORE_USER = re.compile(r".*(?:=|%(?:25)?(?:2f|5c|3f|23|26|3d))|", re.IGNORECASE | re.DOTALL)
_NO_USER = frozenset({"acct", "mailto", "sip", "sips", "xmpp"})
"""Schemes whose colon comes before an address as of mail."""

_MASKED_QUERY = re.compile(r"[?&](?:[^?&#=]*=)?\*\*\*(?:[&#]|$)")
_QUERY_OR_FRAGMENT = re.compile(r"[?#]")


def observed_without_credentials(observed: str, canonical: Canonical) -> str:
    """What a log has, its user info masked; ``canonical`` is its canonical form.

    Where masking would make another URL of it (the parser's ways are many), the canonical form,
    which has no user info.
    """
    if "userinfo" in canonical.notes:
        masked = _without_own_user_info(observed)
        again = canonicalise(canonical.kind, masked)
        if not isinstance(again, Canonical) or again.text != canonical.text:
            masked = f"http://{canonical.text}"
        observed = masked
    return without_nested_credentials(observed)


def without_nested_credentials(text: str) -> str:
    """``text`` with ``user:password@`` masked in its path, query and fragment.

    Percent-encoded up to twice too. After ``://`` a user without a password is masked as well.
    """
    if not _AT.search(text):
        return text
    text = _NESTED.sub(rf"\1{MASK}", text)
    for encoding in _ENCODINGS:
        parts = encoding.delimiter.split(text)
        text = "".join(_part_without_password(part, encoding) for part in parts)
    return text


def _part_without_password(part: str, encoding: _Encoding) -> str:
    colon = encoding.colon.search(part)
    ats = list(encoding.at.finditer(part, colon.end())) if colon else []
    if colon is None or not ats:
        return part
    at = ats[-1].start()
    before = _BEFORE_USER.match(part, 0, colon.start())
    start = before.end() if before else 0
    opening = _BEFORE_WORD.match(part, start, colon.start())
    start = opening.end() if opening else start
    password = part[colon.end() : at]
    if password == MASK:
        return part
    if part[start : colon.start()].lower() in _NO_USER and not encoding.colon.search(password):
        return part
    return f"{part[:start]}{MASK}{part[at:]}"


def _without_own_user_info(url: str) -> str:
    url = url.translate(_LINE_BREAKS)
    parts = _UP_TO_AUTHORITY.match(url)
    if parts is None or "@" not in parts["authority"]:
        return url
    server = parts["authority"].rpartition("@")[2]
    return f"{parts['before']}{MASK}@{server}{url[parts.end() :]}"


def with_query_masked(text: str) -> str:
    """A URL whose query has its values masked, ``?user=***&***``, and its fragment whole.

    Names are kept; a part without a value may itself be one, and is masked whole.
    """
    delimiter = _QUERY_OR_FRAGMENT.search(text)
    if delimiter is None:
        return text
    place = delimiter.start()
    before, rest = text[:place], text[place:]
    query, _, fragment = rest.partition("#")
    if query:
        query = "?" + "&".join(map(_with_value_masked, query[1:].split("&")))
    return before + query + (f"#{MASK}" if fragment else "")


def _with_value_masked(part: str) -> str:
    name, _, value = part.partition("=")
    if not value.strip("="):  # such as Base64 with its padding
        return MASK if part else ""
    return f"{name}={MASK}"


def is_query_masked(text: str) -> bool:
    """Whether ``text`` looks as ``with_query_masked`` leaves it."""
    return _MASKED_QUERY.search(text) is not None


# --- bytes of a record that could not be read ------------------------------------------------

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


# --- lines of a log --------------------------------------------------------------------------

_WORD = re.compile(r"\S*[@?#]\S*|\S*%(?:25)?40\S*")
_BEFORE_WORD = re.compile(r"[\"'(\[{<=,]*")
_AFTER_WORD = "\"')]}>,;:."
SENSITIVE_NAMES = "password|passwd|secret|token|api_?key"
"""What names a secret, as a pattern."""
_SECRET_VALUE = re.compile(
    rf"((?:{SENSITIVE_NAMES})(?:\s*=|['\"]\s*[=:])\s*['\"]?"
    r"|authorization['\"]?\s*[=:]\s*['\"]?(?:basic|bearer)\s+)[^\s'\",;&]+",
    re.IGNORECASE,
)


def line_without_secrets(text: str, *, with_queries: bool) -> str:
    """A line for a log without user info, values named password or the like, and query strings.

    ``with_queries`` keeps the last.
    """
    text = _SECRET_VALUE.sub(rf"\1{MASK}", text)
    if not _AT.search(text) and (with_queries or _has_no_query(text)):
        return text

    def masked(match: re.Match[str]) -> str:
        word = _word_without_credentials(match[0])
        return word if with_queries else _word_without_query(word)

    return _WORD.sub(masked, text)


def _has_no_query(text: str) -> bool:
    return "?" not in text and "#" not in text


def _word_without_credentials(word: str) -> str:
    word = without_nested_credentials(word)
    head, at, tail = word.rpartition("@")
    if not at:
        return word
    if "//" in head:
        return f"{head[: head.index('//') + 2]}{MASK}@{tail}"
    if ":" in head:
        opening = _BEFORE_WORD.match(head)
        return f"{opening[0] if opening else ''}{MASK}@{tail}"
    return word


def _word_without_query(word: str) -> str:
    query = word.find("?")
    if query < 0 and "//" in word:
        query = word.find("#")
    rest = word[query + 1 :]
    shown = rest.rstrip(_AFTER_WORD)
    if query < 0 or not shown:
        return word
    return f"{word[: query + 1]}{MASK}{rest[len(shown) :]}"
