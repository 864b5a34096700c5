"""dnsmasq's query log, as dnsmasq, syslog and Pi-hole write it."""

from datetime import UTC, datetime

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.dnsmasq import Dnsmasq

PREFIXES = {
    "syslog": "Nov 20 09:00:13 dnsmasq[811]: ",
    "one-digit day": "Nov  2 09:00:13 dnsmasq[811]: ",
    "syslog with host": "Nov 20 09:00:13 router dnsmasq[811]: ",
    "facility": "Fri Nov 20 09:00:13 2026 daemon.info dnsmasq[811]: ",
    "priority": "<30>Nov 20 09:00:13 router dnsmasq[811]: ",
    "foreground": "dnsmasq: ",
    "message alone": "",
    "log-queries=extra": "Nov 20 09:00:13 dnsmasq[811]: 12 10.20.9.27/41952 ",
    "extra, IPv6": "dnsmasq[811]: 12 2001:db8::7/41952 ",
    "log-queries=proto": "Nov 20 09:00:13 dnsmasq[811]: UDP 12 10.20.9.27/41952 ",
    "proto, over TCP and IPv6": "dnsmasq: TCP 12 2001:db8::7/41952 ",
    "proto, message alone": "UDP 12 10.20.9.27/41952 ",
    "proto, without a client": "dnsmasq[811]: UDP 12 ",
    "Pi-hole": "Nov 20 09:00:13 gateway pihole-FTL[99]: ",
    "RFC 5424 without a time": "<30>1 - gateway dnsmasq 811 - - ",
    "a container's, in syslog": "Nov 20 09:00:13 gw 7d0c31fe[4]: Nov 20 09:00:12 dnsmasq[811]: ",
    "a container's, named so": "Nov 20 09:00:13 gw dnsmasq[4]: Nov 20 09:00:12 dnsmasq[811]: ",
    "time in brackets": "[2026-11-20 09:00:13] dnsmasq[811]: ",
    "host in brackets": "Nov 20 09:00:13 [gateway] pihole-FTL[99]: 12 10.20.9.27/41952 ",
    "name behind a bracket": "[811]dnsmasq: ",
    "columns": "2026-11-20 09:00:13\tgateway\tdnsmasq[811]: ",
}
DAEMON = "Nov 20 09:00:13 dnsmasq[811]: "


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_a_query_is_a_host_with_its_client(prefix: str) -> None:
    line = f"{prefix}query[AAAA] www.example.com from 10.20.9.27".encode()
    assert Dnsmasq().recognises(line)
    assert Dnsmasq().parse(line) == UrlEvent("host", "www.example.com", "10.20.9.27")


@pytest.mark.parametrize(
    "header",
    [
        "2026-11-20T09:00:13.5+01:00 router dnsmasq[811]: ",
        "<30>2026-11-20T08:00:13.5Z router pihole-FTL[811]: ",
        "<30>1 2026-11-20T08:00:13.5Z router dnsmasq 811 - - ",
        '<30>1 2026-11-20T08:00:13.5Z router dnsmasq - queries [id@1 a="b"] ',
    ],
)
def test_a_full_time_in_the_header_is_that_of_the_event(header: str) -> None:
    line = f"{header}query[A] example.com from 10.20.9.27".encode()
    time = datetime(2026, 11, 20, 8, 0, 13, 500000, tzinfo=UTC)
    assert Dnsmasq().recognises(line)
    assert Dnsmasq().parse(line) == UrlEvent("host", "example.com", "10.20.9.27", time)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("query[type=65] example.com from ::1", UrlEvent("host", "example.com", "::1")),
        (
            "query[HTTPS] b\xfccher.example from 10.0.0.1",
            UrlEvent("host", "bücher.example", "10.0.0.1"),
        ),
        (
            "query[A] a from b.example.com from 10.0.0.1",
            UrlEvent("host", "example.com", "10.0.0.1"),
        ),
        (
            "query[TXT] x/y+z=.t.example.com from 10.0.0.1",
            UrlEvent("host", "t.example.com", "10.0.0.1"),
        ),
        (
            "query[SRV] _ldap._tcp.example.com from 10.0.0.1 ",
            UrlEvent("host", "_ldap._tcp.example.com", "10.0.0.1"),
        ),
    ],
)
def test_types_names_and_clients_of_every_kind(message: str, event: UrlEvent) -> None:
    assert Dnsmasq().parse((DAEMON + message).encode()) == event


@pytest.mark.parametrize(
    "message",
    [
        "forwarded www.example.com to 198.18.0.53",
        "reply www.example.com is 198.18.116.138",
        "reply www.example.com is <CNAME>",
        "reply cdn.example.net is NODATA-IPv6",
        "cached www.example.com is 198.18.116.138",
        "config www.example.com is NXDOMAIN",
        "gravity blocked ads.example is 0.0.0.0",
        "/etc/hosts printer.example is 10.0.0.9",
        "12 10.20.9.27/41952 reply www.example.com is 198.18.116.138",
        "reply example.com is query[A] other.example from 10.0.0.9",
        "reply example.com is dnsmasq[1]: query[A] other.example from 10.0.0.9",
        "reply example.com is Nov 20 09:00:13 dnsmasq[1]: query[A] a.b from 10.0.0.9",
        "dnssec-query[DS] example.com to 198.18.0.53",
        "UDP 12 10.20.9.27/41952 cached www.example.com is 198.18.116.138",
        "query[A] test#domain.example from 10.0.0.9",
        "started, version 2.90 cachesize 150",
        "read /etc/hosts - 8 names",
    ],
)
def test_what_is_no_query_is_ignored(message: str) -> None:
    line = (DAEMON + message).encode()
    assert Dnsmasq().recognises(line)
    assert isinstance(Dnsmasq().parse(line), Ignored)


def test_lines_of_the_daemons_other_parts_are_ignored() -> None:
    for line in (
        b"Nov 20 09:00:13 dnsmasq-dhcp[811]: DHCPACK(eth0) 10.20.9.27 00:11:22:33:44:55 laptop",
        b"dnsmasq-tftp: sent /srv/boot.img to 10.20.9.27",
    ):
        assert Dnsmasq().recognises(line)
        assert isinstance(Dnsmasq().parse(line), Ignored)


@pytest.mark.parametrize(
    "name", ["printer", ".", "<root>", "7.2.0.192.in-addr.arpa", "1.0.0.2.ip6.arpa"]
)
def test_queries_for_no_target_are_ignored(name: str) -> None:
    line = f"{DAEMON}query[PTR] {name} from 10.20.9.27".encode()
    assert isinstance(Dnsmasq().parse(line), Ignored)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"query[A] www.exam", RejectReason.MALFORMED),
        (b"query[A] www.example.com from", RejectReason.MALFORMED),
        (b"query[A", RejectReason.MALFORMED),
        (b"12 10.20.9.27/41952 query[A] www.exam", RejectReason.MALFORMED),
        (
            b"QUIC 12 10.20.9.27/41952 query[A] www.example.com from 10.20.9.27",
            RejectReason.MALFORMED,
        ),
        (b"12 10.20.9.27/41952 vlan7 query[A] example.com from ::1 ", RejectReason.MALFORMED),
        (b"over 10.20.9.27/53 query[A] reply.example from 10.20.9.27", RejectReason.MALFORMED),
        (b"query[A] \xff.example.com from 10.20.9.27", RejectReason.NOT_UTF8),
    ],
)
def test_each_fault_has_its_reason(message: bytes, reason: RejectReason) -> None:
    fault = Dnsmasq().parse(DAEMON.encode() + message)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason


@pytest.mark.parametrize(
    "line",
    [
        b"what is this",
        b"Nov 20 09:00:13 router unbound[811]: info: x",
        b"Nov 20 09:00:13 router 7d0c31fe9a55[4]: query[A] www.example.com from 10.20.9.27",
    ],
)
def test_where_the_format_is_set_a_line_of_another_program_is_rejected(line: bytes) -> None:
    fault = Dnsmasq().parse(line)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"www.example.com",
        b"http://example.com/dnsmasq[811]:",
        b"Nov 20 09:00:13 router kernel: query[A] www.example.com from 10.20.9.27",
        b"Nov 20 09:00:13 router unbound[811]: info: 10.20.9.27 www.example.com. A IN",
        b"20-Nov-2026 09:00:13.123 queries: info: client 10.0.0.1#5353: query: example.com IN A",
    ],
    ids=["empty", "host", "url", "another daemon", "unbound", "bind"],
)
def test_lines_of_other_kinds_are_not_recognised(line: bytes) -> None:
    assert not Dnsmasq().recognises(line)
