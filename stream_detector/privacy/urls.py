"""Masks user info and query values in URLs, original or canonical."""

import re
from collections.abc import Iterator
from itertools import chain

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical
from stream_detector.privacy.mask import MASK

_UP_TO_AUTHORITY = re.compile(
    r"(?P<before>[\x00-\x20\ufeff]*(?:(?:https?|ftp|wss?):)?[/\\]*)(?P<authority>[^/\\?#]*)",
    re.IGNORECASE,
)
_LINE_BREAKS = str.maketrans("", "", "\t\n\r")
"""Browsers drop them anywhere in a URL, also in ``%4\\n0``."""

AT = re.compile("@|%(?:25)?40")
"""Without one there is no user info: most texts need no further look."""
OPENING = r"[\"'(\[{<=,]*+"
"""May precede a word."""


def _nested(percent: str) -> Iterator[re.Pattern[str]]:
    """User info of a URL inside another, whose delimiters are encoded by ``percent`` or not at all.

    Everything between ``://`` and the last at sign of a part; else a text with a colon, from the
    last ``=`` before it. Linear: each part is tried once, and backtracking ends at an at sign.
    """

    def encoded(plain: str, codes: str) -> str:
        return f"(?:{plain}|{percent}(?:{codes}))" if percent else plain

    end, colon = encoded(r"[/\\?#&]", "2f|5c|3f|23|26"), encoded(":", "3a")
    slashes, at = encoded("/", "2f") * 2, encoded("@", "40")
    part = rf"[^/\\?#&%]*(?:(?!{end})%[^/\\?#&%]*)*"
    any_end = r"%(?:25)?(?:2[f36]|5c|3[fd])"
    within = f"(?:=|(?!{end}){any_end})"
    name = rf"[^/\\?#&=:%]*+(?:(?!{any_end}|{colon})%[^/\\?#&=:%]*+)*+"
    yield re.compile(rf"({colon}{slashes}){part}(?={at})", re.IGNORECASE)
    # An address such as of mail has no user info, unless another colon follows.
    address = rf"(?:acct|mailto|sips?|xmpp){colon}{name}(?:{within}{name})*+(?!{colon})"
    yield re.compile(
        rf"({end}(?:{name}{within})*+{OPENING})"
        rf"(?!{address}){name}{colon}{part}(?={at})",
        re.IGNORECASE,
    )


_NESTED_PLAIN, _NESTED_ENCODED = (
    [pattern for percent in percents for pattern in _nested(percent)]
    for percents in ([""], ["%", "%(?:25)?"])
)

_MASKED_QUERY = re.compile(r"[?&](?:[^?&#=]*=)?\*\*\*(?:[&#]|$)")
_QUERY_OR_FRAGMENT = re.compile(r"[?#]")


def may_hold_credentials(text: str) -> bool:
    """False where ``text`` has no at sign, encoded or not; takes 0.1 us."""
    return "@" in text or ("%" in text and ("40" in text or not text.isprintable()))


def observed_without_credentials(observed: str, canonical: Canonical) -> str:
    """The log's text with user info masked; ``canonical`` is its canonical form.

    A masked text loses its line breaks. Where masking would make a different URL (parsers have many
    ways), the canonical form replaces the text: it has no user info.
    """
    text = observed.translate(_LINE_BREAKS)
    masked = text
    if "userinfo" in canonical.notes:
        masked = _without_own_user_info(text)
        again = canonicalise(canonical.kind, masked)
        if not isinstance(again, Canonical) or again.text != canonical.text:
            masked = f"http://{canonical.text}"
    masked = without_nested_credentials(masked)
    return observed if masked == text else masked


def without_nested_credentials(text: str) -> str:
    """``text`` with ``user:password@`` masked in its path, query and fragment.

    Also where they are percent-encoded once or twice, and a user without a password after ``://``.
    """
    if not AT.search(text):
        return text
    text = f"/{text}"
    for nested in chain(_NESTED_PLAIN, _NESTED_ENCODED if "%" in text else ()):
        text = nested.sub(rf"\1{MASK}", text)
    return text[1:]


def _without_own_user_info(url: str) -> str:
    parts = _UP_TO_AUTHORITY.match(url)
    if parts is None or "@" not in parts["authority"]:
        return url
    server = parts["authority"].rpartition("@")[2]
    return f"{parts['before']}{MASK}@{server}{url[parts.end() :]}"


def with_query_masked(text: str) -> str:
    """A URL whose query has its values masked, ``?user=***&***``, and its fragment whole.

    Names stay. A part without a value may itself be a value, and is masked whole.
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
    """Whether ``text`` looks like an output of ``with_query_masked``."""
    return _MASKED_QUERY.search(text) is not None
