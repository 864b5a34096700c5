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


def _percent_encoding(text: str, rng: random.Random) -> str | None:
    host, rest = split_authority(text)
    letters = [place for place, letter in enumerate(rest) if letter.isalpha()]
    if not letters:
        return None
    chosen = set(rng.sample(letters, max(1, len(letters) // 5)))
    return host + "".join(
        f"%{ord(letter):02X}" if place in chosen else letter for place, letter in enumerate(rest)
    )


def _case(text: str, rng: random.Random) -> str | None:  # noqa: ARG001
    host, rest = split_authority(text)
    return host.upper() + rest


def _www(text: str, rng: random.Random) -> str | None:  # noqa: ARG001
    return None if _is_address(split_authority(text)[0]) else f"www.{text}"


def _ordinary_prefix(text: str, rng: random.Random) -> str | None:
    host, rest = split_authority(text)
    return None if _is_address(host) else f"{rng.choice(_ORDINARY_NAMES)}.{host}{rest}"


def _ordinary_path(text: str, rng: random.Random) -> str | None:
    host, rest = split_authority(text)
    return f"{host}{rng.choice(_ORDINARY_PATHS)}{rest if rest.startswith('/') else '/' + rest}"


def _padding(text: str, rng: random.Random) -> str | None:
    letters = "".join(rng.choices(string.ascii_lowercase + string.digits, k=_PADDING_CHARACTERS))
    return f"{text}{'&' if '?' in text else '?'}session={letters}"


def _homoglyph(text: str, rng: random.Random) -> str | None:
    host, rest = split_authority(text)
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


def _userinfo(text: str, rng: random.Random) -> str | None:
    return f"http://{rng.choice(_ORDINARY_NAMES)}@{text}"


def _address_form(text: str, rng: random.Random) -> str | None:  # noqa: ARG001
    host, rest = split_authority(text)
    address, colon, port = host.partition(":")
    numbers = address.split(".")
    if len(numbers) != 4 or not all(number.isdigit() for number in numbers):
        return None
    return "http://" + ".".join(f"0x{int(number):x}" for number in numbers) + colon + port + rest


TRANSFORMATIONS: Mapping[str, Callable[[str, random.Random], str | None]] = {
    "percent-encoding": _percent_encoding,
    "host in capitals": _case,
    "www.": _www,
    "ordinary name before the host": _ordinary_prefix,
    "ordinary path before the path": _ordinary_path,
    "padding past the cap": _padding,
    "homoglyph in the host": _homoglyph,
    "user name": _userinfo,
    "address in hex": _address_form,
}
"""By the name in the robustness table."""

HOST_TRANSFORMATIONS = ("host in capitals", "www.", "ordinary name before the host")
"""The transformations of a host name alone: a homoglyph would make it another name."""


def transformed(name: str, text: str, kind: Kind, rng: random.Random) -> str | None:
    """``text`` after the transformation ``name``, canonical; None if it does not apply."""
    if kind == "host" and name not in HOST_TRANSFORMATIONS:
        return None
    raw = TRANSFORMATIONS[name](text, rng)
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
