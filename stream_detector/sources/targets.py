"""From a DNS query or the parts of an HTTP request to an event.

The one place that decides which queried names are targets, and the one that builds URLs.
"""

import re
from datetime import datetime
from itertools import dropwhile, takewhile

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.url_syntax import is_absolute, is_short_address

_REVERSE_ZONES = ("in-addr.arpa", "ip6.arpa")
_BELOW_REVERSE_ZONES = tuple(f".{zone}" for zone in _REVERSE_ZONES)

# DNS allows any byte in a label: names of service instances hold spaces, tunnels binary data. A
# host name has, of ASCII, only letters, digits, - and _, and the * of a wildcard.
_is_host_name = re.compile(r"[^\x00-)+,/:-@\[-^`{-\x7f\s\ufffd]+").fullmatch

_DEFAULT_PORTS = frozenset({None, 0, "0", 80, "80"})

_CONNECT_TARGET = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://)?([^/?#\s]+)")


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


def http_event(
    *,
    method: str | None,
    host: str | None,
    port: int | str | None,
    target: str | None,
    client: str | None,
    time: datetime | None,
    log_id: str | None,
) -> UrlEvent | Rejected:
    """An event of kind ``host`` for ``CONNECT``, else of kind ``url``.

    Args:
        method: as in the request line.
        host: name or address of the server, IPv6 with or without brackets; a port in it takes
            precedence over ``port``.
        port: the server's.
        target: path with query, or a whole URL (asked of a proxy), or ``host:port``.
        client: address or name of the client.
        time: of the request.
        log_id: the log's own identifier.
    """
    if method == "CONNECT":
        observed = connect_target(target) or host
        if observed:
            return UrlEvent("host", observed, client, time, log_id)
    elif target and target[0] != "/" and is_absolute(target):
        return UrlEvent("url", target, client, time, log_id)
    if not host:
        return Rejected(RejectReason.NO_URL, "a request without a host name")
    return UrlEvent("url", joined_url(host, port, target), client, time, log_id)


def connect_target(target: str | None) -> str | None:
    """The host and port that a ``CONNECT`` asks for; None if there is none.

    Logs have ``host:443``, ``host:443 /`` and ``tunnel://host:443/``.
    """
    match = _CONNECT_TARGET.match(target) if target else None
    return match[1] if match else None


def joined_url(host: str, port: int | str | None, target: str | None) -> str:
    """The URL of these parts; see ``http_event``."""
    target = target or "/"
    slash = "" if target[0] == "/" else "/"
    return f"http://{_authority(host, port)}{slash}{target}"


def _authority(host: str, port: int | str | None) -> str:
    if ":" not in host:
        return host if port in _DEFAULT_PORTS else f"{host}:{port}"
    if host[0] != "[" and host.count(":") > 1:
        host = f"[{host}]"
    return host if port in _DEFAULT_PORTS or host[-1] != "]" else f"{host}:{port}"
