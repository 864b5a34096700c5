"""JSON objects with a ``url`` or a ``host``."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Kind, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.plain_json import PlainJson

TIME = datetime(2026, 11, 20, 9, 0, 20, tzinfo=UTC)
URL = "http://example.com/a"


def parse(**fields: Any) -> LineResult:
    return PlainJson().parse(json.dumps(fields).encode())


def test_a_url_or_a_host_is_an_event() -> None:
    assert parse(url=URL) == UrlEvent("url", URL)
    assert parse(host="example.com") == UrlEvent("host", "example.com")
    assert parse(url="b\xfccher.example/\U0001f512") == UrlEvent("url", "bücher.example/\U0001f512")


def test_a_url_says_more_than_a_host() -> None:
    assert parse(url=URL, host="collector.example") == UrlEvent("url", URL)
    assert parse(url="", host="example.com") == UrlEvent("host", "example.com")
    assert parse(url=None, host="example.com") == UrlEvent("host", "example.com")


def test_client_time_and_id_are_kept() -> None:
    event = UrlEvent("url", URL, "10.0.0.1", TIME, "7")
    assert parse(url=URL, client="10.0.0.1", time="2026-11-20T09:00:20Z", id="7") == event
    assert parse(url=URL, client_ip="10.0.0.1", timestamp=1795165220, id=7) == event
    assert (
        parse(**{"url": URL, "client": "10.0.0.1", "@timestamp": 1795165220000, "id": 7}) == event
    )


def test_of_several_names_the_first_one_counts() -> None:
    event = parse(
        **{
            "url": URL,
            "client_ip": "10.0.0.2",
            "client": "10.0.0.1",
            "@timestamp": "2020-01-01T00:00:00Z",
            "timestamp": "2021-01-01T00:00:00Z",
            "time": 1795165220,
        }
    )
    assert event == UrlEvent("url", URL, "10.0.0.1", TIME)


def test_a_time_that_is_none_costs_no_event() -> None:
    assert parse(url=URL, time="yesterday", id=0) == UrlEvent("url", URL, None, None, "0")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, RejectReason.NO_URL),
        ({"url": "", "host": ""}, RejectReason.NO_URL),
        ({"url": 5}, RejectReason.WRONG_TYPE),
        ({"url": {"full": 5}}, RejectReason.WRONG_TYPE),
        ({"host": {"name": "sensor.example"}}, RejectReason.WRONG_TYPE),
        ({"url": 5, "host": "collector.example"}, RejectReason.WRONG_TYPE),
        ({"url": "/a", "host": 5}, RejectReason.WRONG_TYPE),
        ({"url": "-"}, RejectReason.NO_URL),
        ({"url": "/login?x=1"}, RejectReason.NO_URL),
        ({"url": "login"}, RejectReason.NO_URL),
        ({"url": [URL]}, RejectReason.WRONG_TYPE),
    ],
)
def test_each_fault_has_its_reason(fields: dict[str, Any], reason: RejectReason) -> None:
    fault = parse(**fields)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason


@pytest.mark.parametrize(
    "other",
    [
        {"client": 167772161},
        {"client": ["10.0.0.1"]},
        {"id": 7.5},
        {"id": {"a": 1}},
        {"time": [2026]},
        {"time": True},
        {"uid": 1001},
        {"flow_id": "f-1"},
        {"query": {"a": "b"}},
        {"method": 1},
        {"id.resp_p": {}},
        {"src_ip": 5},
        {"host": 5},
        {"host": {"name": "sensor.example"}},
        {"ts": {}},
        {"event_type": ["a"]},
        {"trans_id": "x", "_path": 5},
    ],
    ids=str,
)
def test_a_wrong_type_costs_its_field_alone(other: dict[str, Any]) -> None:
    assert parse(url=URL, **other) == UrlEvent("url", URL)


def test_a_number_too_large_costs_its_field_alone() -> None:
    line = f'{{"url":"{URL}","time":1e999,"id":{"9" * 5000},"client":"10.0.0.1"}}'
    assert PlainJson().parse(line.encode()) == UrlEvent("url", URL, "10.0.0.1")


@pytest.mark.parametrize(
    ("url", "host", "observed"),
    [
        ("/login?x=1", "shop.example", "http://shop.example/login?x=1"),
        ("?x=1", "shop.example", "http://shop.example/?x=1"),
        ("//a/b", "shop.example", "http://shop.example//a/b"),
        ("login.php?x=1", "shop.example:8443", "http://shop.example:8443/login.php?x=1"),
        ("/a", "2001:db8::7", "http://[2001:db8::7]/a"),
        ("/to/http://b.example/", "shop.example", "http://shop.example/to/http://b.example/"),
        ("b.example.com/a", "shop.example", "b.example.com/a"),
        ("192.0.2.7:8080/a", "shop.example", "192.0.2.7:8080/a"),
        ("https:b.example", "shop.example", "https:b.example"),
        ("//b.example.com/a", None, "//b.example.com/a"),
        ("intranet:8080/a", None, "intranet:8080/a"),
    ],
)
def test_a_path_is_on_the_host_next_to_it(url: str, host: str | None, observed: str) -> None:
    assert parse(url=url, host=host) == UrlEvent("url", observed)


@pytest.mark.parametrize("url", ["-", "*", ""])
def test_a_url_that_is_none_leaves_the_host(url: str) -> None:
    assert parse(url=url, host="shop.example") == UrlEvent("host", "shop.example")


LINE = "1795165200.889 921 10.0.0.1 TCP_MISS/200 507 GET http://example.com/ - HIER_NONE/- -"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"message": LINE}, "message"),
        ({"log": LINE + "\n"}, "log"),
        ({"short_message": LINE}, "short_message"),
        ({"MESSAGE": LINE}, "MESSAGE"),
        ({"event": {"original": LINE}}, "event.original"),
        ({"event.original": LINE}, "event.original"),
        ({"message": LINE, "url": "/login"}, "message"),
    ],
)
def test_next_to_a_log_line_the_host_is_the_shippers_and_gives_no_verdict(
    fields: dict[str, Any], name: str
) -> None:
    for host in ({}, {"host": "proxy-1.corp.example"}, {"host": {"name": "proxy-1"}}):
        fault = parse(**fields, **host)
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.UNKNOWN_FORMAT
        assert repr(name) in fault.detail
        assert "json_fields" in fault.detail


@pytest.mark.parametrize(
    "fields",
    [{"message": LINE}, {"log": {"file": {"path": "/a"}}}, {"event": {"original": LINE}}],
)
def test_next_to_a_url_a_log_line_is_a_field_as_any_other(fields: dict[str, Any]) -> None:
    assert parse(url=URL, host="proxy-1", **fields) == UrlEvent("url", URL)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": LINE, "time": 1795165200, "sourcetype": "squid"},
        {"event": {"action": "deny"}},
        {"rawmsg": LINE},
        {"_raw": LINE},
        {"line": LINE},
        {"MESSAGE": [49, 55]},
        {"message": {"text": LINE}},
        {"version": "1.1", "short_message": ""},
        {"log": {"level": "info"}},
        {"http_request": "GET /a HTTP/1.1"},
        {"message": LINE, "client": "10.0.0.1"},
    ],
    ids=str,
)
def test_the_host_of_any_envelope_gives_no_verdict(fields: dict[str, Any]) -> None:
    fault = parse(host="fw-1.corp.example", **fields)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    "fields", [{"name": "cpu", "value": 1}, {"values": [1, 2]}, {"metric": "load"}], ids=str
)
def test_the_host_of_a_metric_gives_no_verdict(fields: dict[str, Any]) -> None:
    fault = parse(host="web-1.corp.example", **fields)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.NO_URL


@pytest.mark.parametrize("fields", [{"message": ""}, {"log": None}, {"value": "192.0.2.7"}])
def test_a_field_without_a_log_line_changes_nothing(fields: dict[str, Any]) -> None:
    assert parse(host="example.com", client="10.0.0.1", **fields) == UrlEvent(
        "host", "example.com", "10.0.0.1"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"msg": "allowed", "client": "10.0.0.1"},
        {"message": "Accepted password for kim", "src_ip": "10.0.0.1"},
        {"event": "login", "client_ip": "10.0.0.1"},
        {"user": "kim", "action": "login"},
        {"cpu_p": 1.5},
        {"path": "/var/log/nginx/access.log", "type": "access"},
        {"event_type": "Security"},
    ],
)
def test_a_host_beside_a_message_or_fields_of_no_request_is_the_senders(
    fields: dict[str, Any],
) -> None:
    assert isinstance(parse(host="example.com", **fields), Rejected)


def test_a_host_beside_a_message_about_a_request_is_a_target() -> None:
    fields = {"message": "allowed", "method": "GET", "client": "10.0.0.1"}
    assert parse(host="example.com", **fields) == UrlEvent("host", "example.com", "10.0.0.1")


@pytest.mark.parametrize("host", ["-", "_", "*", "(empty)", "unix:/run/x.sock"])
def test_a_host_that_is_none_gives_no_verdict(host: str) -> None:
    for url in ({}, {"url": "/a"}, {"uri": "/a", "method": "GET"}, {"url": "-"}):
        fault = parse(host=host, **url)
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.NO_URL


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http:///login/verify?x=1", "/login/verify?x=1"),
        ("https:///login.php", "/login.php"),
        ("https://-/a", "/a"),
        ("http://:8080/a", "/a"),
        ("http://(empty)/a", "/a"),
        ("http:////a.example/b", "/a.example/b"),
        ("http://?x=1", "/?x=1"),
    ],
)
def test_a_url_with_an_empty_host_is_a_path(url: str, path: str) -> None:
    assert parse(url=url, host="shop.example") == UrlEvent("url", f"http://shop.example{path}")
    fault = parse(url=url)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.NO_URL


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"uri": "/a?b=1", "method": "GET"}, ("url", "http://shop.example/a?b=1")),
        ({"request_uri": "/a"}, ("url", "http://shop.example/a")),
        ({"path": "/a", "status": 200}, ("url", "http://shop.example/a")),
        ({"path": "logs.txt", "method": "GET", "status": 200}, ("host", "shop.example")),
        ({"request": "GET /a HTTP/1.1"}, ("url", "http://shop.example/a")),
        ({"request": "GET http://b.example/ HTTP/1.1"}, ("url", "http://b.example/")),
        ({"request": "CONNECT b.example:443 HTTP/1.1"}, ("host", "b.example:443")),
        ({"request": {"id": 1}, "uri": "-"}, ("host", "shop.example")),
    ],
)
def test_the_path_of_a_web_server_is_on_the_host_next_to_it(
    fields: dict[str, Any], event: tuple[Kind, str]
) -> None:
    assert parse(host="shop.example", **fields) == UrlEvent(*event)


@pytest.mark.parametrize("client", ["-", "unknown", "(empty)", ""])
def test_a_client_that_is_none_leaves_the_next_name(client: str) -> None:
    assert parse(url=URL, client=client) == UrlEvent("url", URL)
    for name in ("client_ip", "remote_addr"):
        fields = {"client": client, name: "10.0.0.1"}
        assert parse(url=URL, **fields) == UrlEvent("url", URL, "10.0.0.1")


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("10.0.0.1:51234", "10.0.0.1"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("kim:laptop", "kim:laptop"),
    ],
)
def test_the_port_of_a_client_is_dropped(client: str, address: str) -> None:
    for name in ("client", "src_ip", "remote_addr"):
        assert parse(url=URL, **{name: client}) == UrlEvent("url", URL, address)


@pytest.mark.parametrize(
    ("url", "observed"),
    [
        ("backup.zip", "http://shop.example/backup.zip"),
        ("setup.sh", "http://shop.example/setup.sh"),
        ("b.example.com", "b.example.com"),
    ],
)
def test_a_file_name_is_on_the_host_next_to_it(url: str, observed: str) -> None:
    assert parse(url=url, host="shop.example") == UrlEvent("url", observed)


def test_a_url_without_a_scheme_needs_a_host() -> None:
    for url in ("invoice.pdf.exe", "login", "mailto:kim@b.example", "javascript:alert(1)"):
        fault = parse(url=url)
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.NO_URL
    assert isinstance(parse(url="javascript:alert(1)", host="shop.example"), Rejected)
    for url in ("kim:secret@b.example/a", "b.example", "intranet:8080/a", "b.corpnet/a"):
        assert parse(url=url) == UrlEvent("url", url)
    assert parse(url="2001:db8::1") == UrlEvent("host", "2001:db8::1")


@pytest.mark.parametrize(
    "fields",
    [
        {name: "10.0.0.1"}
        for name in (
            "client",
            "client_ip",
            "clientip",
            "clientIp",
            "ClientIP",
            "client.ip",
            "src_ip",
            "srcip",
            "source_ip",
            "source.ip",
            "remote_addr",
            "c-ip",
            "userip",
        )
    ]
    + [{"source": {"ip": "10.0.0.1"}}, {"client": {"ip": "10.0.0.1"}}],
    ids=str,
)
def test_the_client_is_found_under_its_common_names(fields: dict[str, Any]) -> None:
    assert parse(url=URL, **fields) == UrlEvent("url", URL, "10.0.0.1")
    assert parse(host="example.com", **fields) == UrlEvent("host", "example.com", "10.0.0.1")


@pytest.mark.parametrize("other", [{"source": "/var/log/a"}, {"source": {"ip": 5}}, {"srcip": 5}])
def test_what_is_no_address_under_these_names_is_no_client(other: dict[str, Any]) -> None:
    assert parse(url=URL, **other) == UrlEvent("url", URL)


@pytest.mark.parametrize(
    ("fields", "observed"),
    [
        ({"url": {"full": URL, "domain": "b.example"}}, URL),
        ({"url.full": URL, "url.domain": "b.example"}, URL),
        ({"url": {"original": URL, "domain": "b.example"}}, URL),
        ({"url": {"original": "/a?b", "domain": "b.example"}}, "http://b.example/a?b"),
        ({"url.original": "/a?b", "url.domain": "b.example"}, "http://b.example/a?b"),
        ({"url": {"domain": "b.example", "path": "/a", "query": "b"}}, "http://b.example/a?b"),
        ({"url": {"domain": "b.example"}}, "http://b.example/"),
        ({"url": {"domain": "b.example", "port": 8080}}, "http://b.example:8080/"),
        (
            {"url.domain": "b.example", "url.port": "81", "url.path": "/a", "url.query": "b"},
            "http://b.example:81/a?b",
        ),
    ],
)
def test_urls_of_ecs_are_read(fields: dict[str, Any], observed: str) -> None:
    event = parse(**fields, host={"name": "sensor"}, source={"ip": "10.0.0.1"}, message=LINE)
    assert event == UrlEvent("url", observed, "10.0.0.1")


def test_every_object_is_recognised_and_nothing_else() -> None:
    assert PlainJson().recognises(b'{"message":"hello"}')
    for line in (b"", b"{", b"[]", b'"http://example.com/"', b"example.com"):
        assert not PlainJson().recognises(line)
