import ipaddress
from collections import Counter

import pytest

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical
from trainer.examples.texts import PRIVATE_NETWORKS, PRIVATE_SUFFIXES, is_private, take_apart
from trainer.generated.private_networks import generate_private


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("9.255.255.255", False),
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("100.63.255.255", False),
        ("100.64.0.0", True),
        ("100.127.255.255", True),
        ("100.128.0.0", False),
        ("126.255.255.255", False),
        ("127.0.0.1", True),
        ("128.0.0.0", False),
        ("169.253.255.255", False),
        ("169.254.0.1", True),
        ("169.255.0.0", False),
        ("172.15.255.255", False),
        ("172.16.0.0", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.167.255.255", False),
        ("192.168.0.0", True),
        ("192.168.255.255", True),
        ("192.169.0.0", False),
        ("[fbff::1]", False),
        ("[fc00::]", True),
        ("[fdff:ffff::1]", True),
        ("[fe7f::1]", False),
        ("[fe80::1]", True),
        ("[fec0::1]", False),
        ("[::1]", True),
        ("[::2]", False),
        ("[2001:db8::1]", False),
        ("nas", True),
        ("localhost", True),
        ("app.localhost", True),
        ("printer.local", True),
        ("router.home.arpa", True),
        ("arpa.home", False),
        ("mylocal", True),
        ("nas.mylocal", False),
        ("nas.local.com", False),
        ("internal.example.com", False),
    ],
)
def test_private_hosts_are_recognised(host, private):
    assert is_private(host) is private


@pytest.fixture(scope="module", params=["url", "host"])
def generated(request):
    return request.param, list(generate_private(20_000, kind=request.param, seed=4))


def hosts_of(texts):
    return [take_apart(text).host for text in texts]


def network_of(host):
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return next(one for one in PRIVATE_NETWORKS if address in one)


def test_all_are_canonical_different_and_private(generated):
    kind, texts = generated
    assert len(set(texts)) == 20_000
    for text in texts:
        canonical = canonicalise(kind, text)
        assert isinstance(canonical, Canonical), text
        assert canonical.text == text
        assert is_private(canonical.host), text


def test_every_network_and_ending_is_there(generated):
    _, texts = generated
    hosts = hosts_of(texts)
    networks = Counter(network_of(host) for host in hosts)
    assert set(networks) == {*PRIVATE_NETWORKS, None}
    names = [host for host in hosts if network_of(host) is None]
    assert any("." not in name for name in names)
    for suffix in PRIVATE_SUFFIXES:
        assert any(name.endswith(f".{suffix}") for name in names), suffix


def test_addresses_cover_their_ranges_so_that_no_few_strings_are_learned(generated):
    _, texts = generated
    octets = [
        tuple(map(int, host.split(".")))
        for host in hosts_of(texts)
        if host[-1].isdigit() and network_of(host) is not None
    ]
    assert {second for first, second, *_ in octets if first == 172} == set(range(16, 32))
    assert len({second for first, second, *_ in octets if first == 10}) > 60
    assert len({third for first, _, third, _ in octets if first == 192}) > 60
    assert len(set(octets)) > len(octets) * 0.5


def test_urls_have_ports_paths_and_queries():
    texts = list(generate_private(20_000, kind="url", seed=4))
    parts = [take_apart(text) for text in texts]
    assert 0.2 < sum(bool(part.port) for part in parts) / len(parts) < 0.8
    assert not {"80", "443"} & {part.port for part in parts}
    assert len({part.path for part in parts}) > 8_000
    assert sum(bool(part.query) for part in parts) > 2_000
    assert not any(mark in text for text in texts for mark in "{}#")


def test_the_same_seed_gives_the_same():
    first, again, other = (list(generate_private(600, kind="url", seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first) & set(other)) < 10
