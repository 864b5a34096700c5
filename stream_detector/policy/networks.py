"""Networks of addresses (``10.0.0.0/8``, ``2001:db8::/32``), looked up by an address."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from stream_detector.canonical import ipv4_within

Network = IPv4Network | IPv6Network

_NETWORK = re.compile(r"\[?([0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]?/([0-9]{1,3})")


def looks_like_network(text: str) -> bool:
    """Is ``text`` an address, a slash and a number?"""
    return _NETWORK.fullmatch(text) is not None


def network_of(text: str) -> Network:
    """The network that ``text`` names, IPv6 with or without brackets.

    IPv6 addresses that stand for IPv4 give an IPv4 network, as in the canonical form.

    Raises:
        ValueError: it is not a network, has bits of a host, or has every address.
    """
    match = _NETWORK.fullmatch(text)
    if match is None:
        raise ValueError("not address/length")
    address, length = match.groups()
    try:
        network = ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        raise ValueError("not a network: 0 to 32 bits of IPv4, 0 to 128 of IPv6") from None
    if network.network_address != ip_address(address):
        raise ValueError(f"it has bits of a host; the network is {network}")
    if isinstance(network, IPv6Network):
        network = ipv4_within(network) or network
    if network.prefixlen == 0:
        halves = " and ".join(map(str, network.subnets()))
        raise ValueError(
            f"it would match every address of IPv{network.version}; write {halves} if it should"
        )
    return network


class Networks:
    """A set of networks. A look-up takes one step for each length of prefix that there is."""

    def __init__(self, networks: Iterable[Network]) -> None:
        by_length: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in networks:
            starts = by_length[network.version].setdefault(network.prefixlen, set())
            starts.add(int(network.network_address))
        self._by_length = {
            version: sorted(lengths.items(), reverse=True) for version, lengths in by_length.items()
        }

    def __len__(self) -> int:
        return sum(len(starts) for lengths in self._by_length.values() for _, starts in lengths)

    def longest_prefix(self, host: str) -> int | None:
        """Bits of the smallest network that has ``host``; None for none.

        Args:
            host: an address in canonical form; IPv6 in brackets.
        """
        address = ip_address(host.strip("[]"))
        value, bits = int(address), address.max_prefixlen
        for length, starts in self._by_length[address.version]:
            if value >> (bits - length) << (bits - length) in starts:
                return length
        return None
