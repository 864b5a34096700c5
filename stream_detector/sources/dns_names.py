"""From a DNS query's name to an event: the one place that decides which names are targets."""

import re
from datetime import datetime
from itertools import dropwhile, takewhile

from stream_detector.events import Ignored, UrlEvent
from stream_detector.sources.url_syntax import is_short_address

_REVERSE_ZONES = ("in-addr.arpa", "ip6.arpa")
_BELOW_REVERSE_ZONES = tuple(f".{zone}" for zone in _REVERSE_ZONES)

# DNS allows any byte in a label: names of service instances hold spaces, tunnels binary data. A
# host name has, of ASCII, only letters, digits, - and _, and the * of a wildcard.
_is_host_name = re.compile(r"[^\x00-)+,/:-@\[-^`{-\x7f\s\ufffd]+").fullmatch


def dns_event(
    name: str, *, client: str | None, time: datetime | None, log_id: str | None
) -> UrlEvent | Ignored:
    """An event of kind ``host``; Ignored for the root, single labels, reverse lookups and numbers.

    A name with labels that no host can have is cut to the domain that the query goes to.
    """
    plain = name.rstrip(".")
    if "." not in plain:
        return Ignored("a single label" if plain else "no name")
    if plain[-5:].lower() == ".arpa" and _is_reverse(plain.lower()):
        return Ignored("a reverse lookup")
    if not _is_host_name(plain):
        name = _domain_below(plain)
        if "." not in name:
            return Ignored("a name that no host can have")
        plain = name
    # No top-level domain starts with a digit.
    if plain[plain.rfind(".") + 1].isdigit() and is_short_address(plain):
        return Ignored("a number")
    return UrlEvent("host", name, client, time, log_id)


def _is_reverse(name: str) -> bool:
    return name in _REVERSE_ZONES or name.endswith(_BELOW_REVERSE_ZONES)


def _domain_below(name: str) -> str:
    """The last labels of ``name`` that a host can have, without those of a service."""
    labels = list(takewhile(_is_host_name, reversed(name.split("."))))[::-1]
    return ".".join(dropwhile(lambda label: label.startswith("_"), labels))
