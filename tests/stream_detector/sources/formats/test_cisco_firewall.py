"""Cisco ASA and Firepower Threat Defense."""

import pytest

from stream_detector.sources.formats.cisco_firewall import CiscoFirewall
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = CiscoFirewall()
EVENT = "%FTD-1-430003: SrcIP: 10.0.0.9, DstIP: 192.0.2.7, Client: DNS client, ACPolicy: a, "

SAMPLES: list[tuple[str, Read]] = [
    (
        "%ASA-5-304001: 10.0.0.9 Accessed URL 192.0.2.7:http://a.example/b c",
        ("url", "http://a.example/b c", "10.0.0.9", None),
    ),
    (
        "%ASA-session-5-304001: anna@10.0.0.9(D\\anna) Accessed JAVA URL 2001:db8::7:https://a.example/",
        ("url", "https://a.example/", "10.0.0.9", None),
    ),
    (
        "%ASA-5-304002: Access denied URL http://a.example/b SRC 10.0.0.9 DEST 192.0.2.7 on inside",
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (
        "%ASA-4-338002: Dynamic filter monitored blacklisted TCP traffic from inside:10.0.0.9/5353 "
        "(192.0.2.1/5353) to outside:192.0.2.7/80 (192.0.2.7/80), destination 192.0.2.7 resolved "
        "from dynamic list: a.example, threat-level: high",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        '%ASA-6-716003: Group <g> User <anna> IP <10.0.0.9> WebVPN access "GRANTED: http://a.example/"',
        ("url", "http://a.example/", "10.0.0.9", None),
    ),
    (
        EVENT + "DNSQuery: a.example, DNSRecordType: a host address, DNS_TTL: 70",
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        "%FTD-6-430003: FirstPacketSecond: 2026-01-02T03:04:05Z, ConnectionID: 7, SrcIP: 10.0.0.9, "
        "UserAgent: x (y, like Gecko), ReferencedHost: a.example, URL: http://a.example/b, c?d: e",
        ("url", "http://a.example/b, c?d: e", "10.0.0.9", "2026-01-02T03:04:05"),
    ),
    (
        "%NGIPS-0-430003: SrcIP: 2001:db8::9, DstIP: 2001:db8::7, ReferencedHost: a.example",
        ("host", "a.example", "2001:db8::9", None),
    ),
    (
        "SFIMS: [Engine (1-2)][p] Connection Type: End, User: anna, Client: curl, Application "
        "Protocol: HTTP, URL: http://a.example/b, Interface: i, {TCP} "
        "10.0.0.9:1 -> 192.0.2.7:80",
        ("url", "http://a.example/b", "10.0.0.9", None),
    ),
    (EVENT + "DNSResponseType: Server Failure", IGNORED),
    ("%ASA-6-302013: Built outbound TCP connection 7 for outside:192.0.2.7/80", IGNORED),
    ("%ASA-5-304001: 10.0.0.9 Accessed URL 192.0.2.7:/b", NO_URL),
    ("%ASA-5-304001: 10.0.0.9 Accessed", IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
