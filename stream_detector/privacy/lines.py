"""Masks credentials, named secrets and query strings in log lines."""

import re

from stream_detector.privacy.mask import MASK
from stream_detector.privacy.secret_names import without_named_secrets
from stream_detector.privacy.urls import AT, OPENING, without_nested_credentials

_WORD = re.compile(r"\S+")
_USER_INFO = re.compile(rf"\A((?>.*?//)|{OPENING}(?=[^@]*:)).*@")
_AFTER_WORD = "\"')]}>,;:."


def line_without_secrets(text: str, *, with_queries: bool) -> str:
    """A log line without user info, values of named secrets, and query strings.

    ``with_queries`` keeps the query strings.
    """
    text = without_named_secrets(text)
    if not AT.search(text) and (with_queries or _has_no_query(text)):
        return text

    def masked(match: re.Match[str]) -> str:
        word = match[0]
        if AT.search(word):
            word = without_nested_credentials(_USER_INFO.sub(rf"\1{MASK}@", word))
        return word if with_queries else _word_without_query(word)

    return _WORD.sub(masked, text)


def _has_no_query(text: str) -> bool:
    return "?" not in text and "#" not in text


def _word_without_query(word: str) -> str:
    query = word.find("?")
    if query < 0 and "//" in word:
        query = word.find("#")
    rest = word[query + 1 :]
    shown = rest.rstrip(_AFTER_WORD)
    if query < 0 or not shown:
        return word
    return f"{word[: query + 1]}{MASK}{rest[len(shown) :]}"
