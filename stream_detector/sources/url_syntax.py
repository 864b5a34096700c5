"""Whether a text is a URL or a host name, where only the text itself can show it.

The canonical form accepts everything that a browser would open: ``1.2.3`` is the address
``1.2.0.3`` and ``name,GET,200`` a host. A line of a list, or a field that may hold something else,
needs stricter rules.
"""

import re
from functools import lru_cache
from ipaddress import ip_address

from stream_detector.canonical import is_public_suffix

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://|[Hh][Tt][Tt][Pp][Ss]?:")
"""Only at the start: the paths of redirects and archives contain URLs."""

# A label of a host name: of ASCII letters, digits, - and _, and whatever is not ASCII.
_LABEL = r"[^\x00-,./:-@\[-^`{-\x7f\s\u3002\uff0e\uff61\ufffd]+"
_AUTHORITY = re.compile(
    rf"(?://)?(?:(?:\*\.)?({_LABEL}(?:[.\u3002\uff0e\uff61]{_LABEL})*)\.?|\[([0-9A-Fa-f:.]+)\])"
    r"(:[0-9]{1,5})?(?=[/?#\\]|$)"
)
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]")
_OCTET = re.compile(r"[0-9]{1,3}")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")
_NETWORK = re.compile(r"[0-9.]+/[0-9]{1,2}")

_CSV_FIELD = re.compile(
    r",(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|GET|POST|HEAD|PUT|CONNECT|OPTIONS|[a-z]+://[^,]*)(?:,|$)"
)
"""Commas are fine in a path, but an address, method or URL between commas is a CSV column."""

_OTHER_TOP_LEVEL = re.compile(
    # of RFC 2606, 6761 and 7686, and of home and office networks
    "alt|corp|domain|example|home|internal|intranet|invalid|lan|local|localdomain|localhost|onion"
    "|private|test"
    # of EmerDNS, Namecoin and OpenNIC, where malware registers names, and of I2P
    "|bazar|bbs|bit|chan|coin|cyb|dyn|emc|geek|gopher|i2p|indy|lib|libre|neo|null|oss|oz|parody"
    "|pirate"
)
"""Top-level domains outside ICANN's registry."""


def is_absolute(text: str) -> bool:
    """Whether ``text`` starts with a scheme."""
    return _ABSOLUTE.match(text) is not None


def names_target(text: str, *, single_label: bool = False) -> bool:
    """Whether ``text`` is a URL or a host name and nothing else.

    File names, versions, key=value pairs, CSV, e-mail addresses and networks are not. Without a
    scheme, the host must be an address or end in a known top-level domain.

    Args:
        text: without white space around it.
        single_label: accept a host name without a dot.
    """
    if "," in text and _CSV_FIELD.search(text):
        return False
    if ":" in text and is_absolute(text):
        return True
    match = _AUTHORITY.match(text)
    if match is None:
        return text.count(":") > 1 and _is_ipv6(text)
    name, ipv6, port = match.groups()
    if ipv6 is not None:
        return _is_ipv6(ipv6)
    labels = _DOTS.split(name)
    if len(labels) == 1:
        is_alone = not port and match.end() == len(text)
        return single_label and is_alone and not name.isdigit()
    return _ends_as_host(labels) and not _NETWORK.fullmatch(text)


def is_short_address(host: str) -> bool:
    """Whether ``host`` is an address in short form: browsers read ``10.1`` as ``10.0.0.1``, and
    ``0x7f.1`` as ``127.0.0.1``.
    """
    labels = _DOTS.split(host.rstrip("."))
    return _NUMBER.fullmatch(labels[-1]) is not None and not _is_ipv4(labels)


def starts_with_host(text: str) -> bool:
    """Whether ``text``, which has no scheme, starts with an unmistakable host."""
    match = _AUTHORITY.match(text)
    if match is None:
        return False
    name, ipv6, port = match.groups()
    if ipv6 is not None:
        return _is_ipv6(ipv6)
    labels = _DOTS.split(name)
    if labels[-1].isdigit():
        return _is_ipv4(labels)
    return port is not None or len(labels) > 1


def _ends_as_host(labels: list[str]) -> bool:
    last = labels[-1]
    if last.isdigit():
        return _is_ipv4(labels)
    # For a few countries the list has only second levels, such as co.za.
    return _is_known(last) or _is_known(".".join(labels[-2:]))


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


def _is_ipv4(labels: list[str]) -> bool:
    return len(labels) == 4 and all(
        _OCTET.fullmatch(label) is not None and int(label) <= 255 for label in labels
    )


@lru_cache(4096)
def _is_known(suffix: str) -> bool:
    suffix = suffix.lower()
    return is_public_suffix(suffix) or _OTHER_TOP_LEVEL.fullmatch(suffix) is not None
