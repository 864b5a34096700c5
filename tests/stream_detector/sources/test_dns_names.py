"""Which names asked for are targets."""

from datetime import UTC, datetime

import pytest

from stream_detector.events import Ignored, UrlEvent
from stream_detector.sources.targets import dns_event

TIME = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def result(name: str) -> UrlEvent | Ignored:
    return dns_event(name, client="10.0.0.1", time=TIME, log_id="C1")


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "example.com.",
        "WWW.Example.COM",
        "_ldap._tcp.example.com",
        "arpa.example",
        "in-addr.arpa.example.com",
        "home.arpa.",
        "evil.xin-addr.arpa",
        "notip6.arpa",
        "192.0.2.7",
        "192.0.2.7.",
        "7.example",
        "10.1.0xz",
        "10.1.3com",
    ],
)
def test_a_name_of_several_labels_is_a_host_as_it_was_asked_for(name: str) -> None:
    assert result(name) == UrlEvent("host", name, "10.0.0.1", TIME, "C1")


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a b.t.example.com", "t.example.com"),
        ("x.a/b.t.example.com.", "t.example.com"),
        ("\ufffd\ufffdz.example.com", "example.com"),
        ("Printer 3._ipp._tcp.example.com", "example.com"),
        ("a@b.c:d.example.com", "example.com"),
    ],
)
def test_of_a_name_that_no_host_can_have_the_domain_is_left(name: str, domain: str) -> None:
    assert result(name) == UrlEvent("host", domain, "10.0.0.1", TIME, "C1")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "no name"),
        (".", "no name"),
        ("wpad", "a single label"),
        ("com.", "a single label"),
        ("7.2.0.192.in-addr.arpa", "a reverse lookup"),
        ("7.2.0.192.IN-ADDR.ARPA.", "a reverse lookup"),
        ("in-addr.arpa", "a reverse lookup"),
        ("Printer 3._ipp._tcp.local", "a name that no host can have"),
        ("a#b.example", "a name that no host can have"),
        ("a.b c", "a name that no host can have"),
        ("10.1", "a number"),
        ("123.456.", "a number"),
        ("10.20.30", "a number"),
        ("192.0.2.256", "a number"),
        ("1.2.3.4.5", "a number"),
        ("10.0x7f", "a number"),
        ("1.\uff11\uff10", "a number"),
        ("7.10\u30021", "a number"),
        ("a b.10.1", "a number"),
        ("1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "a reverse lookup"),
    ],
)
def test_what_is_no_target_is_ignored(name: str, what: str) -> None:
    assert result(name) == Ignored(what)
