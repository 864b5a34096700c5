"""``key=value`` of any product: Zscaler's feeds, ProxySG's for Splunk, Skyhigh, logfmt, and others.

The names tell what the values are (``field_names``). The delimiter is what follows the first pair:
white space, comma, semicolon, bar or tab; some words, such as a time, may stand before. A line is
recognised if one of its names can name a URL or host; ``host`` alone is the device's own.

    2026-01-02 03:04:05 action=Allowed url=a.example/b clientip=10.0.0.9 requestmethod=GET
"""

import re
from collections.abc import Iterable

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import delimited_pairs_of, pairs_of, plain
from stream_detector.sources.field_names import (
    HOST_OF_REQUEST,
    KNOWN_NAMES,
    PATH,
    TARGET_NAMES,
    named_parts,
)
from stream_detector.sources.formats.line_format import LineFormat

_FIRST = re.compile(
    r"(?:[^\s=]{1,64}[\s]{1,4}){0,6}?(?:[A-Za-z]{2,16}[|:])?"
    r'([A-Za-z_][\w.\-]{0,63} ?=(?:"[^"]{0,4096}"|\[[^\]]{0,64}\]|[^\s",;|]{0,4096}))'
    r"([\s,;|]) ?[A-Za-z_][\w.\-]{0,63} ?="
)
_TABBED = re.compile(
    r"(?:[^\s=]{1,64}[\s]{1,4}){0,6}?([A-Za-z_][\w.\-]{0,63}=[^\t]*\t[A-Za-z_][\w.\-]{0,63}=)"
)
"""Between tabs, values may have spaces without quotes."""


class KeyValue(LineFormat):
    """One request or query a line; asked after all formats of products.

    Args:
        products: how the lines of products start that write pairs in a format of their own.
    """

    name = "key_value"
    starts = re.compile(
        rb"(?:[^\s={\[\"]{1,64}[ \t]{1,4}){0,6}?(?:[A-Za-z]{2,16}[|:])?"
        rb"[A-Za-z_][A-Za-z0-9_.\-]{0,63} ?=(?=[^=])"
    )

    def __init__(self, products: Iterable[re.Pattern[bytes]]) -> None:
        self._products = tuple(products)

    def recognises(self, line: bytes) -> bool:
        """Whether one of the line's names can name a URL or host, and it is no product's own."""
        if self.starts_alike(line) and not any(start.match(line) for start in self._products):
            pairs = _pairs(line.decode(errors="replace"))
            return pairs is not None and (
                not TARGET_NAMES.isdisjoint(pairs)
                or (not _OF_PATH.isdisjoint(pairs) and not _OF_HOST.isdisjoint(pairs))
            )
        return False

    def read(self, text: str) -> LineResult:
        """The event of the pairs."""
        pairs = _pairs(text)
        if pairs is None:
            return Rejected(RejectReason.MALFORMED, "fewer than two pairs")
        names = pairs.keys() & KNOWN_NAMES
        fields = {name: plain(pairs[name]) or "" for name in names}
        for name in _OF_DATE & pairs.keys():
            fields[name] = plain(pairs[name]) or ""
        parts = named_parts(fields)
        if parts.time is None and plain(pairs.get("product")) == "NSS":
            parts.time = text[:19]  # Zscaler's feeds are in GMT unless set otherwise.
        return parts.event()


_OF_PATH, _OF_HOST = frozenset(PATH), frozenset(HOST_OF_REQUEST)
_OF_DATE = frozenset({"date", "tz", "timezone"})


def _pairs(text: str) -> dict[str, str] | None:
    if "^^" in text:
        text = text.replace("^^", "\t")  # of Zscaler's feed for RSA
    tabbed = _TABBED.match(text) if "\t" in text else None
    if tabbed is not None:
        return delimited_pairs_of(text[tabbed.start(1) :], "\t")
    first = _FIRST.match(text)
    if first is None:
        return None
    body = text[first.start(1) :]
    return pairs_of(body) if first[2].isspace() else delimited_pairs_of(body, first[2])
