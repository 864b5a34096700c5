"""Transformations that attackers and loggers apply to a URL without changing its label.

Each takes a canonical text and returns a raw one, which is made canonical again: the figures show
which transformations canonical form undoes. One that does not apply returns None.
"""

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Kind
from trainer.examples.texts import split_authority

_HOMOGLYPHS = str.maketrans("aceopxy", "асеорху")
"""From Latin letters to Cyrillic ones that look the same."""

_ORDINARY_NAMES = (
    "www.google.com",
    "login.microsoftonline.com",
    "paypal.com",
    "accounts.apple.com",
)
_ORDINARY_PATHS = ("/wp-content/themes", "/en/news", "/static/assets", "/products/2024")
_PADDING_CHARACTERS = 400


def _is_address(host: str) -> bool:
    return host.startswith("[") or bool(re.fullmatch(r"[0-9.]+(?::[0-9]+)?", host))


def _percent_encoding(host: str, rest: str, rng: random.Random) -> str | None:
    letters = [place for place, letter in enumerate(rest) if letter.isalpha()]
    if not letters:
        return None
    chosen = set(rng.sample(letters, max(1, len(letters) // 5)))
    return host + "".join(
        f"%{ord(letter):02X}" if place in chosen else letter for place, letter in enumerate(rest)
    )


def _padding(host: str, rest: str, rng: random.Random) -> str:
    letters = "".join(rng.choices(string.ascii_lowercase + string.digits, k=_PADDING_CHARACTERS))
    return f"{host}{rest}{'&' if '?' in rest else '?'}session={letters}"


def _homoglyph(host: str, rest: str, rng: random.Random) -> str | None:
    labels = host.split(".")
    places = [
        place
        for place, label in enumerate(labels[:-1])
        if not label.startswith("xn--") and label.translate(_HOMOGLYPHS) != label
    ]
    if not places or _is_address(host):
        return None
    place = rng.choice(places)
    letters = list(labels[place])
    swap = rng.choice([at for at, letter in enumerate(letters) if letter in "aceopxy"])
    letters[swap] = letters[swap].translate(_HOMOGLYPHS)
    labels[place] = "".join(letters)
    return ".".join(labels) + rest


def _address_in_hex(host: str, rest: str, _: random.Random) -> str | None:
    address, colon, port = host.partition(":")
    numbers = address.split(".")
    if len(numbers) != 4 or not all(number.isdigit() for number in numbers):
        return None
    return "http://" + ".".join(f"0x{int(number):x}" for number in numbers) + colon + port + rest


TRANSFORMATIONS: Mapping[str, Callable[[str, str, random.Random], str | None]] = {
    "percent-encoding": _percent_encoding,
    "host in capitals": lambda host, rest, _: host.upper() + rest,
    "www.": lambda host, rest, _: None if _is_address(host) else f"www.{host}{rest}",
    "ordinary name before the host": lambda host, rest, rng: (
        None if _is_address(host) else f"{rng.choice(_ORDINARY_NAMES)}.{host}{rest}"
    ),
    "ordinary path before the path": lambda host, rest, rng: (
        f"{host}{rng.choice(_ORDINARY_PATHS)}{'' if rest.startswith('/') else '/'}{rest}"
    ),
    "padding past the cap": _padding,
    "homoglyph in the host": _homoglyph,
    "user name": lambda host, rest, rng: f"http://{rng.choice(_ORDINARY_NAMES)}@{host}{rest}",
    "address in hex": _address_in_hex,
}
"""By the name in the robustness table: each takes the host with its port, and the rest."""

HOST_TRANSFORMATIONS = ("host in capitals", "www.", "ordinary name before the host")
"""The transformations of a host name: a homoglyph would make it another name."""


def transformed(name: str, text: str, kind: Kind, rng: random.Random) -> str | None:
    """``text`` after the transformation ``name``, canonical; None if it does not apply."""
    if kind == "host" and name not in HOST_TRANSFORMATIONS:
        return None
    raw = TRANSFORMATIONS[name](*split_authority(text), rng)
    canonical = None if raw is None else canonicalise(kind, raw)
    return canonical.text if isinstance(canonical, Canonical) else None


def augmented(texts: Sequence[str], kind: Kind, *, share: float, rng: random.Random) -> list[str]:
    """``texts``, about ``share`` of them after a transformation that is drawn for each.

    Benign and malicious rows change alike, so that a change does not give the label away.
    """
    names = list(TRANSFORMATIONS) if kind == "url" else list(HOST_TRANSFORMATIONS)
    return [
        (transformed(rng.choice(names), text, kind, rng) or text) if rng.random() < share else text
        for text in texts
    ]
