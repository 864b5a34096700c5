"""URLs of services that every network talks to: updates, certificates, sign-in, CDNs, trackers.

A corpus of pages lacks most of a proxy's log: machines that fetch updates and revocation lists,
browsers that check whether they are online, beacons with tokens. Each line of ``ordinary.txt`` is
one such URL with marks for the parts that change from call to call; the names are public knowledge,
a seed draws the tokens. Names under which anybody may put pages or files (storage, hosting, forms,
short links) are left out: phishing uses them too.

Marks: ``{5}`` five digits, ``{hex8}``, ``{guid}``, ``{token}`` (10 to 24 characters), ``{yt}``
(11), ``{t6}`` (letters and digits), ``{upper}``, ``{word}``, ``{Word}``, ``{w3}`` (letters),
``{ext}``.
"""

import random
import re
import string
import uuid
from collections.abc import Callable, Iterator, Mapping
from importlib import resources

from stream_detector.events import Kind
from trainer.generated.domain_names import WORDS

_TEMPLATES = tuple(
    resources.files("trainer").joinpath("ordinary.txt").read_text(encoding="ascii").split()
)
_EXTENSIONS = (
    *("js", "css", "png", "jpg", "svg", "webp", "woff2", "json", "pdf", "zip", "mp4", "txt"),
)
_BARE_SHARE, _CUT_SHARE = 0.15, 0.2
"""Share of URLs cut to the host, and of the others, cut to the first segment of the path."""

_MARK = re.compile(r"\{([A-Za-z]*)([0-9]*)\}")

_LETTERS_AND_DIGITS = string.ascii_lowercase + string.digits
_BASE64 = string.ascii_letters + string.digits + "-_"

_DRAWS: Mapping[str, Callable[[random.Random, int], str]] = {
    "": lambda rng, size: "".join(rng.choices(string.digits, k=size)),
    "hex": lambda rng, size: "".join(rng.choices("0123456789abcdef", k=size)),
    "t": lambda rng, size: "".join(rng.choices(_LETTERS_AND_DIGITS, k=size)),
    "w": lambda rng, size: "".join(rng.choices(string.ascii_lowercase, k=size)),
    "guid": lambda rng, _: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "token": lambda rng, _: "".join(rng.choices(_BASE64, k=rng.randint(10, 24))),
    "yt": lambda rng, _: "".join(rng.choices(_BASE64, k=11)),
    "upper": lambda rng, _: "".join(rng.choices(string.ascii_uppercase, k=rng.randint(3, 7))),
    "word": lambda rng, _: rng.choice(WORDS),
    "Word": lambda rng, _: rng.choice(WORDS).capitalize(),
    "ext": lambda rng, _: rng.choice(_EXTENSIONS),
}


def generate_ordinary(count: int, *, kind: Kind, seed: int) -> Iterator[str]:
    """``count`` different URLs without a scheme (or host names), all templates in each round.

    A template without marks gives its one URL once.
    """
    rng = random.Random(seed)  # noqa: S311 - imitates, guards nothing
    seen: set[str] = set()
    while True:
        for template in rng.sample(_TEMPLATES, len(_TEMPLATES)):
            if len(seen) == count:
                return
            text = _MARK.sub(lambda mark: _DRAWS[mark[1]](rng, int(mark[2] or 0)), template)
            if kind == "host" or rng.random() < _BARE_SHARE:
                text = text.partition("/")[0]
            elif rng.random() < _CUT_SHARE:
                text = "/".join(text.partition("?")[0].split("/")[:2])
            if text not in seen:
                seen.add(text)
                yield text
