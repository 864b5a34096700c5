"""Numbers that describe a canonical URL or host name, for models that read no characters.

After Ma et al. 2009, doi:10.1145/1557019.1557153, and Sahoo et al. 2017, arXiv:1701.07179; without
their word lists, which age.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.examples.texts import TextParts, take_apart

_RUNS = {
    "digits": re.compile(r"[0-9]+"),
    "consonants": re.compile(r"[bcdfghjklmnpqrstvwxz]+"),
    "hex": re.compile(r"[0-9a-f]+"),
    "letters": re.compile(r"[a-zA-Z]+"),
}
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}$|\[")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def _entropy(text: str) -> float:
    """Bits a character (Shannon)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _longest(kind: str, text: str) -> int:
    return max(map(len, _RUNS[kind].findall(text)), default=0)


def _share(letters: str, text: str) -> float:
    return sum(letter in letters for letter in text) / max(1, len(text))


_DIGITS, _VOWELS = "0123456789", "aeiou"

_FEATURES: Mapping[str, Callable[[TextParts], float]] = {
    "length": lambda p: len(p.text),
    "host length": lambda p: len(p.host),
    "path length": lambda p: len(p.path),
    "query length": lambda p: len(p.query),
    "labels": lambda p: len(p.labels),
    "longest label": lambda p: max(map(len, p.labels)),
    "length of the last label": lambda p: len(p.labels[-1]),
    "path segments": lambda p: p.path.count("/"),
    "length of the last segment": lambda p: len(p.path.rpartition("/")[2]),
    "length of the extension": lambda p: len(p.path.rpartition("/")[2].rpartition(".")[2]),
    "parameters": lambda p: p.query.count("&") + bool(p.query),
    "port": lambda p: int(bool(p.port)),
    "address": lambda p: int(bool(_ADDRESS.match(p.host))),
    "punycode": lambda p: int("xn--" in p.host),
    "escapes": lambda p: len(_ESCAPE.findall(p.text)),
    "at signs": lambda p: p.text.count("@"),
    "hyphens of the host": lambda p: p.host.count("-"),
    "hyphens behind it": lambda p: (p.path + p.query).count("-"),
    "underscores": lambda p: p.text.count("_"),
    "dots behind the host": lambda p: (p.path + p.query).count("."),
    "equals signs": lambda p: p.text.count("="),
    "share of digits, host": lambda p: _share(_DIGITS, p.host),
    "share of digits, rest": lambda p: _share(_DIGITS, p.path + p.query),
    "share of vowels, host": lambda p: _share(_VOWELS, p.host),
    "share of capitals": lambda p: sum(map(str.isupper, p.text)) / max(1, len(p.text)),
    "entropy of the host": lambda p: _entropy(p.host),
    "entropy of the rest": lambda p: _entropy(p.path + p.query),
    "longest run of digits": lambda p: _longest("digits", p.text),
    "longest run of consonants, host": lambda p: _longest("consonants", p.host),
    "longest run of hex digits": lambda p: _longest("hex", p.text),
    "longest word": lambda p: _longest("letters", p.text),
}

LEXICAL_NAMES: tuple[str, ...] = tuple(_FEATURES)
"""Names of the columns of ``lexical_features``."""


def lexical_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Shape ``[len(texts), len(LEXICAL_NAMES)]``."""
    table = np.empty((len(texts), len(_FEATURES)), np.float32)
    for row, text in enumerate(texts):
        parts = take_apart(text)
        table[row] = [feature(parts) for feature in _FEATURES.values()]
    return table
