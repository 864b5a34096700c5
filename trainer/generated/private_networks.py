"""Hosts and URLs of private networks, as proxies and resolvers log them.

No public corpus holds such names and addresses, so a model that never saw them takes 10.0.0.7 for a
dropper. The generator imitates logs, network by network: a few hosts of one address plan and one
naming scheme, then the next network with others. ``private_services.txt`` lists the services there.
"""

import ipaddress
import random
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

from stream_detector.events import Kind
from trainer.examples.texts import PRIVATE_NETWORKS, PRIVATE_SUFFIXES
from trainer.generated.domain_names import WORDS


class _Service(NamedTuple):
    """Something that answers in private networks."""

    names: list[str]
    ports: list[int]
    """Without 80 and 443, which canonical form drops."""
    paths: list[str]
    """Templates; see ``_FILLED``."""


def _services() -> Iterator[_Service]:
    text = resources.files("trainer").joinpath("private_services.txt").read_text(encoding="ascii")
    for paragraph in text.strip().split("\n\n")[1:]:  # the first one explains the file
        names, ports, *paths = paragraph.split("\n")
        yield _Service(names.split(), [int(port) for port in ports.split()], paths)


_SERVICES = tuple(_services())

_PEOPLE = ("anna", "jan", "maria", "peter", "ali", "sofia", "lukas", "emma", "omar", "li", "nina")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_HEX = "0123456789abcdef"

_FILLED: Mapping[str, Callable[[random.Random], str]] = {
    "word": lambda rng: rng.choice(WORDS),
    "Word": lambda rng: rng.choice(WORDS).capitalize(),
    "WORD": lambda rng: rng.choice(WORDS).upper()[:4],
    "user": lambda rng: rng.choice(string.ascii_lowercase) + rng.choice(WORDS),
    "day": lambda rng: rng.choice(_DAYS),
    "letter": lambda rng: rng.choice(string.ascii_lowercase),
    "d": lambda rng: str(rng.randint(1, 9)),
    "n": lambda rng: str(rng.randint(1, 10 ** rng.randint(2, 7))),
    "epoch": lambda rng: str(rng.randint(1_500_000_000, 1_900_000_000)),
    "version": lambda rng: f"{rng.randint(0, 12)}.{rng.randint(0, 30)}.{rng.randint(0, 20)}",
    "date": lambda rng: f"20{rng.randint(15, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "id": lambda rng: "".join(
        rng.choices(string.ascii_letters + string.digits, k=rng.randint(8, 24))
    ),
    "hex": lambda rng: "".join(rng.choices(_HEX, k=rng.choice([8, 16, 32]))),
    "HEX": lambda rng: "".join(rng.choices(_HEX.upper(), k=2)),
    "HEXSHA": lambda rng: "".join(rng.choices(_HEX.upper(), k=40)),
    "sha": lambda rng: "".join(rng.choices(_HEX, k=40)),
    "sha256": lambda rng: "".join(rng.choices(_HEX, k=64)),
    "uuid": lambda rng: "-".join("".join(rng.choices(_HEX, k=k)) for k in (8, 4, 4, 4, 12)),
}
"""Draws the value of ``{name}`` in the template of a path."""

_NETWORK_ROWS = 30
"""Texts of one network before the next is drawn: many networks teach ranges, not addresses."""

_DISCOVERY = (
    *("_ipp._tcp", "_ipps._tcp", "_printer._tcp", "_pdl-datastream._tcp", "_http._tcp"),
    *("_smb._tcp", "_airplay._tcp", "_raop._tcp", "_googlecast._tcp", "_spotify-connect._tcp"),
    *("_ssh._tcp", "_ldap._tcp.dc._msdcs", "_kerberos._tcp.dc._msdcs", "_ldap._tcp.pdc._msdcs"),
    *("_gc._tcp", "_vlmcs._tcp", "_sip._tls", "_sipinternaltls._tcp", "_autodiscover._tcp"),
    *("_homekit._tcp", "lb._dns-sd._udp", "b._dns-sd._udp", "_services._dns-sd._udp"),
    *("_sleep-proxy._udp", "wpad", "isatap", "dc", "gc._msdcs", "domaindnszones"),
    "forestdnszones",
)
"""Names that machines look up by themselves: RFC 6763 and Active Directory."""


def generate_private(count: int, *, kind: Kind, seed: int) -> Iterator[str]:
    """``count`` different canonical URLs or host names of private networks; no public one.

    Addresses are of ``PRIVATE_NETWORKS``, names end in one of ``PRIVATE_SUFFIXES`` or are single
    labels. The same seed gives the same ones.
    """
    rng = random.Random(seed)  # noqa: S311 - imitates, guards nothing
    seen: set[str] = set()
    while True:
        network = _Network(rng, kind)
        for _ in range(_NETWORK_ROWS):
            if len(seen) == count:
                return
            text = network.url() if kind == "url" else network.host()
            if text not in seen:
                seen.add(text)
                yield text


class _Network:
    """One private network: its addresses, the names of its hosts, and their services."""

    def __init__(self, rng: random.Random, kind: Kind) -> None:
        self._rng = rng
        self._address = _address_plan(rng)
        self._suffix = _suffix(rng)
        self._numbered = rng.choice(["{}", "{}{:d}", "{}{:02d}", "{}-{:d}", "{}-{:02d}"])
        self._services = rng.sample(_SERVICES, 5)
        # Resolvers are seldom asked for addresses, proxies often fetch from them.
        self._address_share = rng.uniform(0, 0.4) if kind == "host" else rng.uniform(0.2, 1)
        self._port_share = rng.uniform(0, 1)

    def url(self) -> str:
        rng = self._rng
        service = rng.choice(self._services)
        host = self._address() if rng.random() < self._address_share else self._name(service)
        port = f":{rng.choice(service.ports)}" if rng.random() < self._port_share else ""
        return f"{host}{port}{_filled(rng.choice(service.paths), rng)}"

    def host(self) -> str:
        rng = self._rng
        if rng.random() < self._address_share:
            return self._address()
        if self._suffix and rng.random() < 0.15:
            return f"{rng.choice(_DISCOVERY)}.{self._suffix}"
        return self._name(rng.choice(self._services))

    def _name(self, service: _Service) -> str:
        rng = self._rng
        what = rng.random()
        if what < 0.7:
            label = self._numbered.format(rng.choice(service.names), rng.randint(1, 40))
        elif what < 0.85:  # a machine, as its maker or its owner calls it
            letters = string.ascii_lowercase + string.digits
            label = rng.choice(
                [
                    f"desktop-{''.join(rng.choices(letters, k=7))}",
                    f"{rng.choice(_PEOPLE)}s-{rng.choice(['macbook', 'iphone', 'pc', 'laptop'])}",
                    f"{rng.choice(service.names)}{''.join(rng.choices(_HEX, k=6))}",
                    f"{rng.choice(['pc', 'lt', 'srv', 'ws', 'vm'])}{rng.randint(100, 99999)}",
                ]
            )
        else:
            label = f"{rng.choice(WORDS)}-{rng.choice(service.names)}"
        return f"{label}.{self._suffix}" if self._suffix else label


def _suffix(rng: random.Random) -> str:
    """The ending of a network's names; "" where they are single labels."""
    if rng.random() < 0.15:
        return ""
    before = rng.choice(
        [
            "",
            "",
            rng.choice(WORDS),
            f"{rng.choice(['dev', 'prod', 'test', 'hq', 'office', 'dc1', 'eu', 'lab'])}",
            f"{rng.choice(['ad', 'dev', 'prod', 'berlin', 'site2'])}.{rng.choice(WORDS)}",
            f"{rng.choice(WORDS)}{rng.choice(WORDS)}",
        ]
    )
    return f"{before}.{rng.choice(PRIVATE_SUFFIXES)}".removeprefix(".")


def _address_plan(rng: random.Random) -> Callable[[], str]:
    """Draws addresses of one network, IPv6 ones in brackets as canonical form has them."""
    (network,) = rng.choices(PRIVATE_NETWORKS, weights=_WEIGHTS)
    if isinstance(network, ipaddress.IPv6Network):
        prefix = network
        return lambda: f"[{_ipv6(prefix, rng)}]"
    # Half of the networks are the few that routers come with, a /24 each; the others lie anywhere.
    usual = [one for one in _USUAL_SUBNETS if one.subnet_of(network)]
    if usual and rng.random() < 0.5:
        network = rng.choice(usual)
    elif rng.random() < 0.6:
        start = int(network.network_address) + rng.randrange(network.num_addresses)
        network = ipaddress.IPv4Network((start & ~0xFF, 24))
    low, size = int(network.network_address), network.num_addresses
    return lambda: str(ipaddress.IPv4Address(low + rng.randrange(1, size - 1)))


_WEIGHTS = (30, 20, 25, 4, 4, 8, 6, 2, 1)
"""How often each of ``PRIVATE_NETWORKS`` is drawn, in a hundred: most use RFC 1918."""

_USUAL_SUBNETS: Sequence[ipaddress.IPv4Network] = tuple(
    ipaddress.IPv4Network(subnet)
    for subnet in (
        *("192.168.0.0/24", "192.168.1.0/24", "192.168.2.0/24", "192.168.178.0/24"),
        *("10.0.0.0/24", "10.0.1.0/24", "10.1.1.0/24", "172.16.0.0/24", "172.17.0.0/24"),
        *("127.0.0.0/29", "169.254.169.0/24"),
    )
)


def _ipv6(network: ipaddress.IPv6Network, rng: random.Random) -> ipaddress.IPv6Address:
    """An address of ``network``: a random /48 as RFC 4193 has it, then a subnet and a host."""
    if network.num_addresses == 1:
        return network.network_address
    host = rng.choice([rng.randint(1, 0xFFFF), rng.getrandbits(64)])
    if network.network_address.is_link_local:  # its 54 bits behind the prefix are 0
        return network.network_address + host
    prefix = (0xFD << 40 | rng.getrandbits(40)) << 80
    return ipaddress.IPv6Address(prefix | rng.choice([0, 1, rng.getrandbits(16)]) << 64 | host)


def _filled(template: str, rng: random.Random) -> str:
    """The template of a path with its names filled; the front page is an empty path."""
    filled = ""
    for place, piece in enumerate(template.replace("}", "{").split("{")):
        filled += _FILLED[piece](rng) if place % 2 else piece
    return "" if filled == "/" else filled
