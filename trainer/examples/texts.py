"""Canonical texts: their parts, and whether a host is private."""

import ipaddress
from typing import NamedTuple


class TextParts(NamedTuple):
    """Parts of a canonical URL or host name; a missing part is empty."""

    text: str
    host: str
    """IPv6 addresses in brackets."""
    port: str
    """Without its colon."""
    path: str
    """With its first slash."""
    query: str
    """Without its question mark."""

    @property
    def labels(self) -> list[str]:
        """Of the host, from left to right."""
        return self.host.split(".")


def split_authority(text: str) -> tuple[str, str]:
    """Host with port, and the rest."""
    rest_at = min((place for mark in "/?" if (place := text.find(mark)) >= 0), default=len(text))
    return text[:rest_at], text[rest_at:]


def take_apart(text: str) -> TextParts:
    """Take a canonical text apart; a host name has only a host."""
    authority, rest = split_authority(text)
    host, port = authority, ""
    if not authority.endswith("]"):
        before, colon, after = authority.rpartition(":")
        if colon:
            host, port = before, after
    path, _, query = rest.partition("?")
    return TextParts(text, host, port, path, query)


PRIVATE_NETWORKS: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927
        "100.64.0.0/10",  # behind carriers' address translation, RFC 6598
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local, RFC 4291
        "::1/128",
    )
)
"""Addresses that no public host has."""

PRIVATE_SUFFIXES = ("local", "lan", "internal", "corp", "home.arpa", "intranet")
"""Endings that the public DNS does not delegate: RFC 6762 and its appendix G, RFC 8375, and
``internal``, which ICANN reserved in 2024."""


def is_private(host: str) -> bool:
    """Whether a canonical host (IPv6 in brackets) is a private address or name.

    A private name ends in one of ``PRIVATE_SUFFIXES`` or ``localhost``, or has no dot.
    """
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host or f".{host}".endswith(
            tuple(f".{suffix}" for suffix in (*PRIVATE_SUFFIXES, "localhost"))
        )
    return any(
        address in network for network in PRIVATE_NETWORKS if network.version == address.version
    )
