"""Finds the URLs inside a URL: where redirectors, link protection and tracking links lead to.

What counts, in path and query of a canonical URL:

- ``http://`` or ``https://`` and what follows, plain or with any of its characters percent-encoded
  once or twice (``url?q=https%3A%2F%2F``, ``/L0/https:%2F%2F``, ``/web/2026/http://``), whatever
  the parameter's name. A page that a counter names, or a referrer, counts too: the client has it
  open. In ``utm_`` parameters it does not: they name campaigns, and nothing follows them.
- The same in base64 or base64url, anywhere in what is encoded (``?u=a1aHR0cHM6Ly9``, the JSON of
  mail services), percent-encoded or in base64 within; not in JSON web tokens, whose URLs name who
  issued them.
- An address without a scheme, only where the parameter is named after a target
  (``redirect=evil.example/login``, ``u=//evil.example``): ``q=a.com`` and ``utm_source=a.com`` are
  words. A bare name that may be that of a file (``next=setup.sh``) counts as one.
- What wraps an address without its scheme: the AMP caches of Google and Bing, and
  ``*.translate.goog``; and Proofpoint's own encoding.

A host counts if it is an address, or its suffix is on the public-suffix list: ``localhost`` and the
words of templates do not. The URLs found are canonical. Each is decoded at most twice.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from stream_detector.canonical import canonical_url, has_known_suffix, is_address
from stream_detector.events import Canonical
from stream_detector.limits import NESTED_CHARACTERS_MAX as _LENGTH_MAX

NESTED_URLS_MAX = 3
"""In one URL. Of more, those in parameters named after targets come first, then the outermost:
each hop of a longer chain is a request of its own."""

_PLACES_MAX = 64
"""Beginnings of each kind that are looked at."""
_TRIES_MAX = 16
"""Beginnings that are decoded and parsed: what follows need not be a URL."""


class Nested(NamedTuple):
    """A URL inside another."""

    canonical: Canonical
    in_query: bool
    """It begins in the query of the other."""


class _Place(NamedTuple):
    """Where a URL may begin."""

    rank: int
    start: int
    in_query: bool
    text: Callable[[], str]
    """What begins there, decoded."""


def _encoded(character: str) -> str:
    """A pattern of a character, plain or percent-encoded once or twice, in any case."""
    codes = {f"{ord(each):02x}" for each in (character.lower(), character.upper())}
    return rf"(?:{re.escape(character)}|%(?:25)?(?:{'|'.join(sorted(codes))}))"


_SLASH = rf"(?:{_encoded('/')}|{_encoded(chr(92))})"
"""Browsers take a backslash for a slash."""
_BEGINNING = re.compile(
    rf"{''.join(map(_encoded, 'http'))}{_encoded('s')}?{_encoded(':')}(?P<slashes>{_SLASH}{{1,8}})",
    re.IGNORECASE,
)
_HAS_SCHEME = re.compile(r":[/\\%]|%(?:25)?3a", re.IGNORECASE)
_PROOFPOINT = re.compile(r"https?-3A__[^&]*", re.IGNORECASE)
_DELIMITERS = {
    # By what encodes the slashes, and whether it is in a query.
    (1, False): re.compile(r"[/?]"),
    (1, True): re.compile("&"),
    (2, False): re.compile(r"[/?]|%(?:2f|3f|26)", re.IGNORECASE),
    (2, True): re.compile("&|%26"),
}
_NO_URL_CHARACTER = re.compile(r"[\x00-\x20\x7f\"<>]")
_NO_DECODED_CHARACTER = re.compile(r"[\x00-\x20\x7f\"<>\\|\ufffd]")
"""What ends a URL within decoded base64: JSON, separators, bytes that are no text."""

_BASE64_BEGINNING = re.compile("aHR0c|YUhSM|h0dH|odHRw")
"""``http``, base64 of ``http``, and ``http`` one and two bytes into a group of three."""
_INTO_GROUP = {"aHR0c": 0, "YUhSM": 0, "h0dH": 2, "odHRw": 3}
_BASE64_IN_QUERY = re.compile(r"(?:[A-Za-z0-9+/_\-]|%2[BbFf])+")
# A slash in a path is more likely to end what is encoded than to be of it.
_BASE64_IN_PATH = re.compile(r"[A-Za-z0-9+_\-]+")
_FROM_BASE64URL = str.maketrans("-_", "+/")
_JSON_WEB_TOKEN = re.compile(r"(?<![\w\-])eyJ[\w\-]++\.eyJ[\w\-]++\.")
_JSON_SLASH = re.compile(r"\\+/")

_TARGET_NAMES = (
    r"u|url|uri|r?url2?|link|href|to|go|goto|out|next|away|jump|target|forward|continue"
    r"|dest(?:ination)?|redir|redirect|return|success|(?:dest(?:ination)?|redir(?:ect)?|return"
    r"|target|next|link|forward|continue|callback|click|ad)[_\-]?(?:to|ur[il]|link)"
)
_NAMES_A_TARGET = re.compile(_TARGET_NAMES, re.IGNORECASE)
_WITHOUT_SCHEME = re.compile(
    rf"[?&](?:{_TARGET_NAMES})=(?P<slashes>{_SLASH}{{2}})?"
    r"(?P<host>(?:[a-z0-9_\-]{1,63}\.){1,10}[a-z][a-z0-9\-]{1,62})"
    r"(?P<behind>(?:[/:?&\\]|%(?:25)?(?:2f|3a|3f|5c)|$))",
    re.IGNORECASE,
)
_FILE_SUFFIXES = frozenset({"md", "mov", "pl", "ps", "py", "rs", "sh", "so", "zip"})
"""Top-level domains that end the names of files more often than those of hosts."""

_WRAPPERS = re.compile(
    r"(?:(?:(?:[^/?]+\.)?cdn\.ampproject\.org|bing-amp\.com)/[a-z]+"
    r"|google(?:\.[a-z]{2,3}){1,2}/amp)/(?:s/)?(?=[^/?]+\.)"
)
_TRANSLATED = ".translate.goog"
_TRANSLATION = re.compile(r"(?<=[?&])_x_tr_[a-z]+=[^&]*&?")


def nested_urls(outer: Canonical) -> tuple[Nested, ...]:
    """The URLs inside a URL, at most ``NESTED_URLS_MAX``; never raises, linear in its length.

    Takes less than 1 us where there is none.
    """
    text = outer.text
    # Substring tests take 30 ns each, patterns ten times as long.
    places: list[_Place] = []
    if ("%" in text or ":" in text) and _HAS_SCHEME.search(text):
        places += _schemed(text)
    if "__" in text:
        places += _of_proofpoint(text)
    if not text.islower() and ("HR0c" in text or "dHRw" in text or "0dH" in text or "UhSM" in text):
        places += _in_base64(text)
    query = text.find("?")
    if query >= 0 and text.find(".", query) >= 0 and _WITHOUT_SCHEME.search(text, query):
        places += _without_scheme(text)
    if "amp" in text or ".translate.goog" in text:
        places += _wrapped(outer)
    return _found(outer, places) if places else ()


def _found(outer: Canonical, places: list[_Place]) -> tuple[Nested, ...]:
    found: dict[str, Nested] = {}
    places.sort(key=lambda place: place[:2])
    for place in places[:_TRIES_MAX]:
        canonical = _target(place.text())
        if canonical is None or canonical.text == outer.text:
            continue
        found.setdefault(canonical.text, Nested(canonical, place.in_query))
        for inner in islice((*_without_scheme(canonical.text), *_wrapped(canonical)), 2):
            further = _target(inner.text())
            if further is not None and further.text != outer.text:
                found.setdefault(further.text, Nested(further, place.in_query))
        if len(found) >= NESTED_URLS_MAX:
            break
    return tuple(islice(found.values(), NESTED_URLS_MAX))


def _target(text: str) -> Canonical | None:
    """The canonical form of ``text``, if it is a URL that may be reached."""
    canonical = canonical_url(text)
    if not isinstance(canonical, Canonical):
        return None
    if is_address(canonical.host) or has_known_suffix(canonical.host):
        return canonical
    return None


def _place(text: str, start: int, decoded: Callable[[], str]) -> Iterator[_Place]:
    """The place at ``start``; none if nothing follows the parameter that it is in."""
    query = text.find("?", 0, start)
    name = ""
    if query >= 0:
        name_start = max(text.rfind("&", query, start), query) + 1
        name = text[name_start:start].partition("=")[0]
        if name.startswith("utm_"):
            return
    is_target = query < 0 or _NAMES_A_TARGET.fullmatch(name) is not None
    yield _Place(0 if is_target else 1, start, query >= 0, decoded)


def _schemed(text: str) -> Iterator[_Place]:
    """Beginnings with a scheme, plain or percent-encoded."""
    for match in islice(_BEGINNING.finditer(text, text.find("/") + 1), _PLACES_MAX):
        yield from _place(text, match.start(), partial(_percent_decoded, text, match))


def _percent_decoded(text: str, match: re.Match[str]) -> str:
    start, depth = match.start(), _depth(match["slashes"])
    query = text.find("?", 0, start)
    in_query, is_query = query >= 0, query == start - 1
    decodings = _depth(match[0])
    end = None
    if depth:
        delimiter = _DELIMITERS[depth, in_query].search(text, match.end(), start + _LENGTH_MAX)
        end = delimiter and delimiter.start()
    elif in_query and not is_query:
        end = _up_to(text.find("&", start))
        # Whoever reads a parameter decodes it, also where only ``?`` and ``&`` need it.
        decodings = max(decodings, 1)
    url = text[start:end][:_LENGTH_MAX]
    if text[start - 2 : start] == "__":  # Proofpoint's third version: ``__URL__;``
        url = url.partition("__;")[0]
    for _ in range(decodings):
        url = unquote(url)
    return _NO_URL_CHARACTER.split(url, maxsplit=1)[0]


def _up_to(end: int) -> int | None:
    """Of what ``str.find`` returns, the end of a slice."""
    return None if end < 0 else end


def _depth(text: str) -> int:
    """How many times ``text`` is percent-encoded."""
    return 2 if "%25" in text else 1 if "%" in text else 0


def _of_proofpoint(text: str) -> Iterator[_Place]:
    """Of its second version: ``-`` stands for ``%``, and ``_`` for ``/``."""
    for match in islice(_PROOFPOINT.finditer(text), NESTED_URLS_MAX):
        url = match[0][:_LENGTH_MAX].replace("-", "%").replace("_", "/")
        yield from _place(text, match.start(), partial(unquote, url))


def _in_base64(text: str) -> Iterator[_Place]:
    tokens = [match.span() for match in _JSON_WEB_TOKEN.finditer(text)]
    for start, run in _base64_runs(text):
        if not any(begin <= start < end for begin, end in tokens):
            for url in _decoded_from(run):
                yield from _place(text, start, partial(str, url))


def _base64_runs(text: str) -> Iterator[tuple[int, str]]:
    query = text.find("?")
    end = 0
    for match in islice(_BASE64_BEGINNING.finditer(text), _PLACES_MAX):
        start = match.start() - _INTO_GROUP[match[0]]
        if start < end:
            continue  # Decoded already.
        pattern = _BASE64_IN_QUERY if 0 <= query < start else _BASE64_IN_PATH
        run = pattern.match(text, start, start + _LENGTH_MAX)
        if run is not None and run.end() >= match.end():
            decoded = _from_base64(run[0])
            if "http" in decoded.lower() or "aHR0c" in decoded:
                end = run.end()
                yield start, decoded


def _decoded_from(text: str) -> Iterator[str]:
    """URLs in ``text``, which was base64 and may be encoded once more."""
    again = _BASE64_BEGINNING.search(text)
    if again is not None and again[0] == "aHR0c":
        run = _BASE64_IN_QUERY.match(text, again.start())
        text = _from_base64(run[0]) if run else ""
    text = _JSON_SLASH.sub("/", text)
    for match in islice(_BEGINNING.finditer(text), NESTED_URLS_MAX):
        url = _NO_DECODED_CHARACTER.split(text[match.start() :], maxsplit=1)[0]
        if _depth(match[0]) and again is None:
            url = unquote(url.partition("&")[0])
        yield url


def _from_base64(run: str) -> str:
    if "%" in run:
        run = unquote(run)
    run = run[: len(run) - (len(run) % 4 == 1)].translate(_FROM_BASE64URL)
    return binascii.a2b_base64(run + "=" * (-len(run) % 4)).decode(errors="replace")


def _without_scheme(text: str) -> Iterator[_Place]:
    for match in islice(_WITHOUT_SCHEME.finditer(text), NESTED_URLS_MAX):
        suffix = match["host"].rpartition(".")[2].lower()
        is_bare = match["slashes"] is None and match["behind"] in {"", "&"}
        if is_bare and suffix in _FILE_SUFFIXES:
            continue
        start = match.start("host")
        end = text.find("&", start)
        url = text[start : _up_to(end)][:_LENGTH_MAX]
        for _ in range(max(_depth(match["behind"]), 1)):
            url = unquote(url)
        if "@" not in url.partition("/")[0]:
            yield _Place(0, start, True, partial(str, f"http://{url}"))


def _wrapped(outer: Canonical) -> Iterator[_Place]:
    """Of AMP caches and translations, whose addresses hold another without its scheme."""
    text, host = outer.text, outer.host
    wrapper = _WRAPPERS.match(text)
    if wrapper is not None:
        url = text[wrapper.end() :][:_LENGTH_MAX]
        yield _Place(0, wrapper.end(), False, partial(str, f"http://{url}"))
    elif host.endswith(_TRANSLATED):
        name = host.removesuffix(_TRANSLATED).replace("--", "\0").replace("-", ".")
        rest = _TRANSLATION.sub("", text[len(host) :][:_LENGTH_MAX]).rstrip("?&")
        yield _Place(0, 0, False, partial(str, f"http://{name.replace(chr(0), '-')}{rest}"))
