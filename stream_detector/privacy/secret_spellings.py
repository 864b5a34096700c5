"""A known secret, however it is spelled: as it is, escaped, percent-encoded, in Base64."""

import base64
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

from stream_detector.privacy.mask import MASK

__all__ = ["KnownSecrets"]

_PERCENT = "%(?:25){0,3}"
_BACKSLASH = rf"(?:\\|{_PERCENT}5c)"
_ESCAPE = rf"{_BACKSLASH}{{0,32}}+"
"""Each time that an escaped text is escaped its backslashes double. A bound keeps it linear."""
_NAMED_ESCAPES = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}

_BASE64_BITS = 6
_BASE64_WORD = re.compile(r"(?:[A-Za-z0-9+/_-]|\\{1,32}+/|%2[bf])++(?:=|%3d)*", re.IGNORECASE)
_URL_SAFE = str.maketrans("+/", "-_")


class KnownSecrets:
    """Masks secrets whose values are known.

    Escapes are those of Python (``repr``, ``ascii``, of strings and of bytes) and JSON, one in the
    other too; percent-encoding is that of URLs and forms. Of Base64, the standard one and that for
    URLs, the word is masked that the secret stands in, wherever in it, as in ``Basic`` of a user
    and a password.

    Args:
        secrets: of four characters or more; shorter ones stand in any text by chance.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        longest_first = sorted(set(secrets), key=len, reverse=True)
        self._spelled = _any_of(map(_spelled, longest_first))
        self._in_base64 = _any_of(
            _spelled(core) for secret in longest_first for core in _base64_cores(secret)
        )

    def masked(self, text: str) -> str:
        """``text`` without them."""
        if self._in_base64.search(text):
            text = _BASE64_WORD.sub(self._word_masked, text)
        return self._spelled.sub(MASK, text)

    def _word_masked(self, word: re.Match[str]) -> str:
        return MASK if self._in_base64.search(word[0]) else word[0]


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns) or "(?!)")


def _spelled(secret: str) -> str:
    """A pattern of all the spellings but Base64."""
    return "".join(
        _backslashes(len(list(run))) if character == "\\" else "".join(map(_character, run))
        for character, run in groupby(secret)
    )


def _backslashes(count: int) -> str:
    # How often each was escaped can't be told, and is not tried out.
    return f"(?i:{_BACKSLASH}{{{count},{32 * count}}}+)"


def _character(character: str) -> str:
    """A pattern for one character, which is no backslash."""
    if character.isascii() and character.isalnum():
        return character  # Nothing has a reason to spell these otherwise.
    utf_8 = [f"{byte:02x}" for byte in character.encode(errors="surrogatepass")]
    utf_16 = character.encode("utf-16-be", errors="surrogatepass").hex()
    units = [utf_16[place : place + 4] for place in range(0, len(utf_16), 4)]
    spellings = [
        "".join(_PERCENT + byte for byte in utf_8),  # first, or %25 would be % and a rest
        re.escape(character),
        "x" + f"{_ESCAPE}x".join(utf_8),
        "u" + f"{_ESCAPE}u".join(units),
        f"U{ord(character):08x}",
    ]
    if ord(character) <= 0xFF:
        spellings.append(f"x{ord(character):02x}")
    if character in _NAMED_ESCAPES:
        spellings.append(_NAMED_ESCAPES[character])
    if character == " ":
        spellings += [r"\+", f"{_PERCENT}2b"]  # as in forms
    return f"(?i:{_ESCAPE}(?:{'|'.join(spellings)}))"


def _base64_cores(secret: str) -> Iterator[str]:
    """What Base64 of anything with ``secret`` in it holds: it may begin at three places."""
    contents = {secret.encode(errors="surrogatepass")}
    if max(secret) <= "\xff":  # what some clients of HTTP take for user and password
        contents.add(secret.encode("latin-1"))
    for content in contents:
        for before in range(3):
            encoded = base64.b64encode(bytes(before) + content).decode()
            first = -(-8 * before // _BASE64_BITS)
            core = encoded[first : 8 * (before + len(content)) // _BASE64_BITS]
            yield core
            yield core.translate(_URL_SAFE)
