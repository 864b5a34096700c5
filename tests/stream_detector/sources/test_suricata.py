"""Suricata's EVE JSON, as Suricata writes it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.reading import read_record
from stream_detector.sources.suricata import Suricata

TIME = datetime(2026, 11, 20, 9, 0, 20, 636000, tzinfo=UTC)


def line(event_type: str, **parts: Any) -> bytes:
    return json.dumps(
        {
            "timestamp": "2026-11-20T10:00:20.636000+0100",
            "flow_id": 902626248090535,
            "in_iface": "eth1",
            "event_type": event_type,
            "src_ip": "10.20.2.69",
            "src_port": 60912,
            "dest_ip": "198.18.250.50",
            "dest_port": 80,
            "proto": "TCP",
            **parts,
        }
    ).encode()


def parse(event_type: str, **parts: Any) -> LineResult:
    return Suricata().parse(line(event_type, **parts))


def http(**fields: Any) -> LineResult:
    return parse(
        "http",
        tx_id=0,
        http={
            "hostname": "example.com",
            "url": "/a?b=c",
            "http_user_agent": "curl/8.5.0",
            "http_content_type": "text/html",
            "http_method": "GET",
            "protocol": "HTTP/1.1",
            "status": 200,
            "length": 1024,
            **fields,
        },
    )


def event(kind: str, observed: str) -> UrlEvent:
    assert kind in {"url", "host"}
    return UrlEvent(kind, observed, "10.20.2.69", TIME, "902626248090535")  # type: ignore[arg-type]


def test_an_http_event_is_a_url_with_client_time_and_flow() -> None:
    assert http() == event("url", "http://example.com/a?b=c")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"http_port": 8080}, "http://example.com:8080/a?b=c"),
        ({"hostname": "2001:db8::1"}, "http://[2001:db8::1]/a?b=c"),
        ({"hostname": "2001:db8::1", "http_port": 8080}, "http://[2001:db8::1]:8080/a?b=c"),
        ({"hostname": "[2001:db8::1]"}, "http://[2001:db8::1]/a?b=c"),
        ({"url": "http://proxied.example/a"}, "http://proxied.example/a"),
        ({"url": "/to/http://other.example/"}, "http://example.com/to/http://other.example/"),
        ({"url": "/?to=http://other.example/"}, "http://example.com/?to=http://other.example/"),
        ({"url": None}, "http://example.com/"),
    ],
)
def test_host_port_and_path_make_the_url(fields: dict[str, Any], url: str) -> None:
    assert http(**fields) == event("url", url)


def test_the_port_connected_to_is_not_that_of_the_host() -> None:
    named = {"hostname": "example.com", "url": "/a", "http_method": "GET"}
    assert parse("http", http=named, dest_port=3128) == event("url", "http://example.com/a")


@pytest.mark.parametrize("name", [":authority", "Host", "host"])
def test_a_host_that_only_the_headers_name_is_the_host(name: str) -> None:
    headers = [{"name": "accept", "value": "*/*"}, {"name": name, "value": "example.com:8080"}]
    assert http(hostname=None, request_headers=headers) == event(
        "url", "http://example.com:8080/a?b=c"
    )


@pytest.mark.parametrize(
    "headers", [None, [], "Host: example.com", [{"name": "host", "value": 5}], [{"name": "accept"}]]
)
def test_without_a_host_there_is_no_url_on_the_servers_address(headers: Any) -> None:
    assert reason(http(hostname=None, request_headers=headers)) is RejectReason.NO_URL
    whole = http(hostname=None, request_headers=headers, url="http://proxied.example/a")
    assert whole == event("url", "http://proxied.example/a")


@pytest.mark.parametrize(
    "wrong",
    [
        {"flow_id": "x"},
        {"flow_id": 1.5},
        {"src_ip": 5},
        {"timestamp": {}},
        {"host": {"name": "sensor"}},
        {"id": {}, "client": [], "query": 1, "uid": 2},
    ],
    ids=str,
)
def test_a_wrong_type_costs_its_field_alone(wrong: dict[str, Any]) -> None:
    dns = {"type": "query", "rrname": "example.com"}
    found = parse("dns", dns=dns, **wrong)
    assert isinstance(found, UrlEvent)
    assert found.observed == "example.com"
    assert (found.client is None) is ("src_ip" in wrong)
    assert (found.log_id is None) is ("flow_id" in wrong)
    assert isinstance(http(http_port={}, status="200", length=None), UrlEvent)


def test_connect_is_a_host() -> None:
    assert http(http_method="CONNECT", url="example.com:443") == event("host", "example.com:443")


def test_an_http_event_without_host_and_url_is_rejected() -> None:
    for parts in ({"http": {"url": "/a"}, "dest_ip": None}, {"http": {}, "dest_ip": None}, {}):
        assert reason(parse("http", **parts)) is RejectReason.NO_URL


@pytest.mark.parametrize(
    "dns",
    [
        {"type": "query", "id": 5231, "rrname": "example.com", "rrtype": "A", "tx_id": 0},
        {"version": 2, "type": "query", "id": 1, "rrname": "example.com", "rrtype": "AAAA"},
        {
            "version": 3,
            "type": "request",
            "tx_id": 0,
            "id": 1,
            "flags": "100",
            "rd": True,
            "opcode": 0,
            "rcode": "NOERROR",
            "queries": [{"rrname": "example.com", "rrtype": "A"}],
        },
        {"type": "query", "query": [{"type": "query", "id": 1, "rrname": "example.com"}]},
    ],
    ids=["version 1", "version 2", "version 3", "a list called query"],
)
def test_a_dns_query_is_a_host(dns: dict[str, Any]) -> None:
    assert parse("dns", dns=dns) == event("host", "example.com")


def test_several_questions_are_several_hosts() -> None:
    queries = [{"rrname": "a.example"}, {"rrname": "localhost"}, {"rrname": "b.example"}]
    assert parse("dns", dns={"version": 3, "type": "request", "queries": queries}) == (
        event("host", "a.example"),
        event("host", "b.example"),
    )


CNAME = {"rrname": "example.com", "rrtype": "CNAME", "ttl": 60, "rdata": "cdn.example.net"}


@pytest.mark.parametrize(
    "dns",
    [
        {"type": "answer", "id": 5231, "rcode": "NOERROR", **CNAME},
        {"version": 2, "type": "answer", "rrname": "example.com", "answers": [CNAME]},
        {
            "version": 3,
            "type": "response",
            "queries": [{"rrname": "example.com", "rrtype": "A"}],
            "answers": [CNAME],
        },
    ],
    ids=["version 1", "version 2", "version 3"],
)
def test_an_answer_is_no_event_whatever_it_names(dns: dict[str, Any]) -> None:
    assert isinstance(parse("dns", dns=dns), Ignored)


@pytest.mark.parametrize(
    "dns",
    [
        {"type": "query", "rrname": "7.2.0.192.in-addr.arpa", "rrtype": "PTR"},
        {"type": "query", "rrname": "", "rrtype": "NS"},
        {"type": "query", "rrname": "printer", "rrtype": "A"},
        {"type": "query"},
        {"version": 3, "type": "request", "queries": [{"rrname": "wpad"}, {"rrname": ""}]},
    ],
)
def test_queries_for_no_target_are_ignored(dns: dict[str, Any]) -> None:
    assert isinstance(parse("dns", dns=dns), Ignored)


def test_a_tls_events_server_name_is_a_host() -> None:
    tls = {"subject": "CN=example.com", "sni": "www.example.com", "version": "TLS 1.3"}
    assert parse("tls", tls=tls) == event("host", "www.example.com")


@pytest.mark.parametrize("parts", [{"tls": {"version": "TLS 1.3"}}, {"tls": {"sni": ""}}, {}])
def test_a_tls_event_without_server_name_is_ignored(parts: dict[str, Any]) -> None:
    assert isinstance(parse("tls", **parts), Ignored)


@pytest.mark.parametrize("event_type", ["flow", "stats", "alert", "fileinfo", "anomaly", "quic"])
def test_other_events_are_ignored(event_type: str) -> None:
    request = {"hostname": "example.com", "url": "/", "http_method": "GET"}
    assert isinstance(parse(event_type, http=request), Ignored)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (b'{"event_type":"http","http":{"hostname":5}}', RejectReason.WRONG_TYPE),
        (b'{"event_type":"http","http":"example.com"}', RejectReason.WRONG_TYPE),
        (b'{"event_type":"http","http":null}', RejectReason.WRONG_TYPE),
        (b'{"event_type":"dns","dns":{"type":"query","rrname":[]}}', RejectReason.WRONG_TYPE),
        (b'{"event_type":"tls","tls":{"sni":5}}', RejectReason.WRONG_TYPE),
        (b'{"event_type":5}', RejectReason.WRONG_TYPE),
        (b'{"event_type":"tls","tls":{"sni":"\xff"}}', RejectReason.NOT_UTF8),
        (b'{"event_type":"http","http":{"hostname":"\xff"}}', RejectReason.NOT_UTF8),
        (b'{"event_type":"http","http":{"hostname":"exam', RejectReason.MALFORMED),
        (b'{"event_type":"dns"}', RejectReason.NO_URL),
        (b'{"hostname":"example.com"}', RejectReason.MALFORMED),
        (b"{}", RejectReason.MALFORMED),
    ],
)
def test_each_fault_has_its_reason(wrong: bytes, expected: RejectReason) -> None:
    assert reason(Suricata().parse(wrong)) is expected


def test_an_event_without_flow_client_and_time_is_still_one() -> None:
    bare = b'{"event_type":"tls","tls":{"sni":"example.com"},"timestamp":"yesterday"}'
    assert Suricata().parse(bare) == UrlEvent("host", "example.com")


def test_eve_is_recognised_by_its_event_type() -> None:
    assert Suricata().recognises(line("stats"))
    assert Suricata().recognises(b'{"event_type":"new in the next version","flow_id":7}')
    assert not Suricata().recognises(b'{"event_type":"Security","host":"example.com"}')
    for other in (b'{"url":"http://example.com/"}', b'{"event_type":', b"event_type", b"["):
        assert not Suricata().recognises(other)


@pytest.mark.parametrize("event_type", ["drop", "alert", "flow", "http", "dns", "tls"])
@pytest.mark.parametrize(
    "other",
    [
        {"client": "10.0.0.5", "time": 1795165220},
        {"src_ip": "10.0.0.5", "timestamp": "2026-11-20T09:00:20.636000+00:00"},
        {"url": "-", "client": "10.0.0.5"},
        {"flow": "inbound", "alert": "high", "http": "GET", "dns": "udp", "client": "10.0.0.5"},
    ],
    ids=["json", "time with a colon", "url", "words"],
)
def test_a_type_alone_makes_no_event_of_suricatas(event_type: str, other: dict[str, Any]) -> None:
    value = json.dumps({"event_type": event_type, "host": "a.example", **other}).encode()
    ((name, result),) = read_record(value, source=None, lines_max=1)
    assert name == "json"
    assert isinstance(result, UrlEvent)
    assert result.observed == "a.example"
    assert not Suricata().recognises(value)


def test_an_ecs_url_next_to_a_type_is_read() -> None:
    value = b'{"event_type":"flow","url":{"domain":"a.example","path":"/b"}}'
    ((name, result),) = read_record(value, source=None, lines_max=1)
    assert (name, result) == ("json", UrlEvent("url", "http://a.example/b"))


@pytest.mark.parametrize(
    "fields",
    [
        {"event_type": "stats", "stats": {"uptime": 7}},
        {"event_type": "drop", "timestamp": "2026-11-20T10:00:20.636000+0100"},
        {"event_type": "alert", "src_ip": "10.0.0.5", "dest_ip": "192.0.2.8"},
        {"event_type": "flow", "flow_id": 7},
    ],
)
def test_events_without_a_url_next_to_the_sensors_name_are_passed_over(
    fields: dict[str, Any],
) -> None:
    value = json.dumps({**fields, "host": "sensor-1.example"}).encode()
    ((name, result),) = read_record(value, source=None, lines_max=1)
    assert name == "suricata"
    assert isinstance(result, Ignored)


def reason(result: LineResult) -> RejectReason:
    assert isinstance(result, Rejected), result
    return result.reason
