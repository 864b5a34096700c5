"""User info and query values out of URLs, as they were read or in canonical form."""

import re
from typing import NamedTuple

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical
from stream_detector.masking import MASK

__all__ = [
    "AT",
    "OPENING",
    "is_query_masked",
    "observed_without_credentials",
    "with_query_masked",
    "without_nested_credentials",
]

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

AT = re.compile("@|%(?:25)?40")
"""Without one there is no user info: the fast way out of most texts."""
OPENING = re.compile(r"[\"'(\[{<=,]*")
"""What may stand before a word."""


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
    if not AT.search(text):
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
    opening = OPENING.match(part, start, colon.start())
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
