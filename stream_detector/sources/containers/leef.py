"""IBM's Log Event Extended Format: ``LEEF:1.0|vendor|product|version|id|key=value<tab>key=value``.

https://www.ibm.com/docs/en/dsm?topic=overview-leef-event-components. LEEF 2.0 has one header field
more: the delimiter, a character or its code (``x09``, ``0x5E``); an empty one is the tab. Tabs that
syslog turned into ``#011``, and devices that delimit LEEF 1.0 with ``|`` or ``^``, are read too.
"""

import re

_VERSION_2 = "LEEF:2"
_CODE = re.compile(r"(?:0?[xX])([0-9A-Fa-f]{2,4})")
_NEXT_KEY = re.compile(r"[ \t](?=[A-Za-z0-9_.\-]{1,128}=)")
_ESCAPED_TAB = "#011"


class LeefEvent(dict[str, str]):
    """The attributes by key."""

    __slots__ = ("product", "vendor")

    vendor: str
    product: str


def read_leef(text: str) -> LeefEvent | None:
    """The event; None if ``text`` does not start with LEEF's header."""
    header = text.split("|", 5)
    if len(header) < 6 or not header[0].startswith("LEEF:"):
        return None
    attributes, delimiter = header[5], "\t"
    if header[0].startswith(_VERSION_2):
        word, bar, rest = attributes.partition("|")
        given = _delimiter(word)
        if bar and given is not None:
            attributes, delimiter = rest, given
    pairs = _split(attributes.strip("\r\n"), delimiter)
    event = LeefEvent()
    event.vendor, event.product = header[1], header[2]
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if equals:
            event.setdefault(key.strip(), value.strip())
    return event


def _delimiter(word: str) -> str | None:
    """The delimiter that the header names; None for a word that is none."""
    if not word:
        return "\t"
    if len(word) == 1:
        return word
    if word == "\\t":
        return "\t"
    code = _CODE.fullmatch(word)
    return chr(int(code[1], 16)) if code else None


def _split(attributes: str, delimiter: str) -> list[str]:
    if delimiter in attributes:
        return attributes.split(delimiter)
    if _ESCAPED_TAB in attributes:
        return attributes.split(_ESCAPED_TAB)
    for other in ("\t", "|", "^"):
        if other in attributes:
            return attributes.split(other)
    return _NEXT_KEY.split(attributes)
