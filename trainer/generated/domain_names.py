"""Names as domain-generation algorithms make them, one generator a class of algorithm.

Classes after Plohmann et al. 2016, "A Comprehensive Measurement Study of Domain Generating
Malware": arithmetic, hash, word list, permutation. New families follow the same few ideas, so a
model that saw many parameters of each idea knows them. Every name comes from a seed: none is known
to belong, or to have belonged, to anybody.
"""

import hashlib
import random
import string
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import NamedTuple

_TOP_LEVEL = (
    *("com", "net", "org", "info", "biz", "ru", "top", "xyz", "cc", "ws", "su", "in", "eu", "pw"),
    *("tk", "me", "club", "online", "site", "space", "co", "io", "cn", "de", "nl", "to", "kz"),
)
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"
_FAMILY_NAMES = 60
"""Names for one set of parameters, as one malware sample makes on a few days."""

WORDS = tuple(resources.files("trainer").joinpath("words.txt").read_text(encoding="ascii").split())
"""Common English words."""


class GeneratedName(NamedTuple):
    """One host name and the class of algorithm that made it."""

    host: str
    algorithm: str


_Labels = Callable[[], str]


def _uniform_letters(rng: random.Random) -> _Labels:
    low = rng.randint(6, 18)
    high, letters = low + rng.randint(0, 8), rng.choice([string.ascii_lowercase, "abcdefghijklmno"])
    return lambda: "".join(rng.choices(letters, k=rng.randint(low, high)))


def _letters_and_digits(rng: random.Random) -> _Labels:
    low = rng.randint(8, 20)
    high = low + rng.randint(0, 8)
    letters = string.ascii_lowercase + string.digits * rng.randint(1, 2)
    return lambda: "".join(rng.choices(letters, k=rng.randint(low, high)))


def _hashes(rng: random.Random) -> _Labels:
    length, start = rng.choice([8, 10, 12, 16, 20, 24, 32]), rng.randint(0, 25)
    salt, letters_only = rng.getrandbits(32), rng.random() < 0.3
    counter = iter(range(1 << 30))

    def label() -> str:
        digest = hashlib.sha512(f"{salt}{next(counter)}".encode()).hexdigest()[:length]
        if letters_only:  # digits moved into the alphabet
            return "".join(chr(97 + (int(digit, 16) + start) % 26) for digit in digest)
        return digest

    return label


def _linear_congruential(rng: random.Random) -> _Labels:
    state = rng.getrandbits(32)
    multiplier, increment = rng.choice([1103515245, 214013, 1664525, 16807]), rng.getrandbits(16)
    low, modulus = rng.randint(6, 14), rng.choice([25, 26, 36])

    def step() -> int:
        nonlocal state
        state = (state * multiplier + increment) & 0xFFFFFFFF
        return state >> 8

    def label() -> str:
        letters = string.ascii_lowercase + string.digits
        return "".join(letters[step() % modulus] for _ in range(low + step() % 6))

    return label


def _pronounceable(rng: random.Random) -> _Labels:
    low = rng.randint(3, 5)
    double = rng.random() < 0.5

    def label() -> str:
        syllables = rng.randint(low, low + 3)
        name = "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(syllables))
        if double and rng.random() < 0.5:
            at = rng.randrange(1, len(name))
            name = name[:at] + rng.choice(_CONSONANTS) + name[at:]
        return name

    return label


def _word_list(rng: random.Random) -> _Labels:
    words = rng.sample(WORDS, 120)
    count, joint = rng.choice([2, 2, 3, 4]), rng.choice(["", "", "", "-"])
    return lambda: joint.join(rng.choices(words, k=count))


def _permutation(rng: random.Random) -> _Labels:
    letters = rng.choices(string.ascii_lowercase, k=rng.randint(9, 14))

    def label() -> str:
        rng.shuffle(letters)
        return "".join(letters)

    return label


def _word_and_number(rng: random.Random) -> _Labels:
    start, digits = rng.choice(WORDS)[: rng.randint(2, 5)], rng.randint(5, 9)
    return lambda: start + "".join(rng.choices(string.digits, k=digits))


GENERATORS: Mapping[str, Callable[[random.Random], _Labels]] = {
    "uniform_letters": _uniform_letters,
    "letters_and_digits": _letters_and_digits,
    "hash": _hashes,
    "linear_congruential": _linear_congruential,
    "pronounceable": _pronounceable,
    "word_list": _word_list,
    "permutation": _permutation,
    "word_and_number": _word_and_number,
}
"""By class of algorithm: each call draws the parameters of a family."""


def generate_names(count: int, *, seed: int) -> Iterator[GeneratedName]:
    """``count`` different names, the classes in turn, families of a few hundred names each."""
    rng = random.Random(seed)  # noqa: S311 - imitates, guards nothing
    seen: set[str] = set()
    while True:
        for algorithm, family in GENERATORS.items():
            label = family(rng)
            endings = rng.sample(_TOP_LEVEL, rng.randint(1, 5))
            for _ in range(_FAMILY_NAMES):
                if len(seen) == count:
                    return
                host = f"{label()}.{rng.choice(endings)}"
                if host not in seen:
                    seen.add(host)
                    yield GeneratedName(host, algorithm)
