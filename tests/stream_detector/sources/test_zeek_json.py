"""Zeek's logs as JSON: lines of other logs and programs, shippers' forms, wrong types."""

import json
from typing import Any

import pytest

from stream_detector.events import Ignored, RejectReason, UrlEvent
from stream_detector.sources.reading import read_record
from stream_detector.sources.zeek import ZeekDns, ZeekHttp
from support.zeek_lines import (
    CONNECTION,
    QUERY,
    REQUEST,
    TIME,
    as_json,
    event,
    reason,
)


@pytest.mark.parametrize(
    "time", [1795165220.636, 1795165220636.0, 1795165220636, "2026-11-20T09:00:20.636000Z"]
)
def test_json_times_are_epochs_or_iso_texts(time: float | str) -> None:
    assert ZeekDns().parse(as_json(QUERY, ts=time)) == event("host", "example.com")


def test_a_line_names_its_log_where_a_script_adds_it() -> None:
    request = as_json(REQUEST, _path="http", _write_ts="2026-11-20T09:00:21.000000Z")
    assert ZeekHttp().parse(request) == event("url", "http://example.com/a?b=c")
    query = as_json(QUERY, _path="dns_office")
    assert ZeekDns().parse(query) == event("host", "example.com")


@pytest.mark.parametrize(
    "other",
    [
        {"proto": "tcp", "service": "ssl", "conn_state": "SF"},
        {"_path": "x509", "certificate.subject": "CN=example.com"},
        {"_path": "sip", "method": "REGISTER", "uri": "sip:example.com"},
        {"_path": "weird", "host": "example.com", "query": "example.com"},
    ],
    ids=["conn.log", "x509.log", "sip.log", "another"],
)
def test_objects_of_other_logs_are_ignored(other: dict[str, Any]) -> None:
    line = as_json(other)
    (claimant,) = [source for source in (ZeekDns(), ZeekHttp()) if source.recognises(line)]
    assert isinstance(claimant.parse(line), Ignored)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "TLSv13", "cipher": "TLS_AES_128_GCM_SHA256"},
        {"_path": "ssl", "established": True},
        {"_path": "quic", "client_scid": "ab"},
    ],
)
def test_the_server_name_of_a_handshake_is_read(fields: dict[str, Any]) -> None:
    ((name, result),) = read_record(
        as_json({**fields, "server_name": "example.com"}), source=None, lines_max=1
    )
    assert name == "zeek_ssl"
    assert isinstance(result, UrlEvent)
    assert (result.kind, result.observed) == ("host", "example.com")
    ((_, result),) = read_record(as_json({**fields, "_path": "ssl"}), source=None, lines_max=1)
    assert result == Ignored("no server name")


@pytest.mark.parametrize(
    "line",
    [
        b'{"_path":"known_hosts","ts":"2026-11-20T09:00:20Z","host":"10.1.2.3"}',
        b'{"_path":"software","ts":1795165220.6,"host":"198.18.1.3","host_p":80}',
        b'{"_path":"capture_loss","ts":1795165220.6,"peer":"worker-1"}',
        b'{"ts":1795165220.6,"host":"10.1.2.3"}',
        b'{"ts":1795165220.6,"host":"10.1.2.3","port_num":443,"service":["SSL"]}',
        b'{"ts":1795165220.6,"host":"198.18.1.3"}',
        b'{"ts":"2026-11-20T09:00:20.636000Z","host":"2001:db8::7"}',
        b'{"ts":1795165220,"host":"2a00:1450::7","port_num":22,"port_proto":"tcp"}',
        b'{"ts":1795165220.6,"host":"198.18.1.3","port_num":443,"subject":"CN=a","agent":"x"}',
        b'{"ts":1795165220.6,"host":"198.18.1.3","software_type":"HTTP::SERVER","name":"nginx"}',
    ],
)
def test_a_host_of_an_inventory_is_no_target(line: bytes) -> None:
    ((name, result),) = read_record(line, source=None, lines_max=1)
    assert isinstance(result, Ignored)
    assert name == "zeek_http"
    assert ZeekHttp().recognises(line)


@pytest.mark.parametrize(
    ("line", "host", "client"),
    [
        (b'{"ts":1795165220,"host":"10.0.0.9"}', "10.0.0.9", None),
        (b'{"ts":"2026-11-20T09:00:20Z","host":"10.0.0.9"}', "10.0.0.9", None),
        (b'{"ts":1795165220.6,"host":"a.example"}', "a.example", None),
        (b'{"ts":1795165220.6,"host":"10.0.0.9","c-ip":"10.0.0.1"}', "10.0.0.9", "10.0.0.1"),
        (b'{"ts":1795165220,"host":"192.168.7.1","userip":"::1"}', "192.168.7.1", "::1"),
        (
            b'{"ts":1795165220.6,"host":"198.18.1.3","port_num":443,"client":"10.0.0.1"}',
            "198.18.1.3",
            "10.0.0.1",
        ),
        (b'{"ts":1795165220.6,"uid":"u17","host":"a.example"}', "a.example", None),
    ],
)
def test_a_host_with_a_time_called_ts_is_an_event_of_json(
    line: bytes, host: str, client: str | None
) -> None:
    ((name, result),) = read_record(line, source=None, lines_max=1)
    assert name == "json"
    assert isinstance(result, UrlEvent)
    assert (result.kind, result.observed, result.client) == ("host", host, client)
    assert result.time is not None


@pytest.mark.parametrize(
    "form", [{"id.orig_h": "10.0.0.1"}, {"id": {"orig_h": "10.0.0.1"}}, {"id_orig_h": "10.0.0.1"}]
)
def test_a_connection_makes_an_object_zeeks_whatever_its_host(form: dict[str, Any]) -> None:
    line = json.dumps({"ts": 1795165220.6, "uid": "C1", "host": "a.example", **form}).encode()
    ((name, result),) = read_record(line, source=None, lines_max=1)
    assert name == "zeek_http"
    assert isinstance(result, Ignored)


@pytest.mark.parametrize(
    ("fields", "host"),
    [
        ({"_path": "/cart.php", "host": "a.example"}, "a.example"),
        ({"_path": "/cart", "host": "a.example", "ts": 1795165220}, "a.example"),
        ({"_path": "cart", "host": "a.example", "client": "10.0.0.1"}, "a.example"),
        ({"_path": "cart.php?id=5", "host": "a.example", "ts": 1795165220.6}, "a.example"),
        ({"_path": "/cart", "ts": 1795165220.6, "uid": "u1", "host": "a.example"}, "a.example"),
    ],
)
def test_a_field_path_alone_makes_no_line_of_zeeks(fields: dict[str, Any], host: str) -> None:
    fields = {"client": "10.0.0.1", **fields}
    ((name, result),) = read_record(json.dumps(fields).encode(), source=None, lines_max=1)
    assert name == "json"
    assert isinstance(result, UrlEvent)
    assert result.observed == host


def test_a_message_in_gelf_with_a_field_path_is_a_dead_letter() -> None:
    line = b'{"version":"1.1","host":"lb2","short_message":"GET /cart","_path":"/cart"}'
    ((_, fault),) = read_record(line, source=None, lines_max=1)
    assert reason(fault) is RejectReason.UNKNOWN_FORMAT
    assert reason(ZeekHttp().parse(line)) is RejectReason.MALFORMED


def test_an_object_with_a_url_is_not_zeeks() -> None:
    value = b'{"ts":1795165220.636,"uid":"u17","url":"http://example.com/x","src_ip":"10.0.0.1"}'
    ((name, result),) = read_record(value, source=None, lines_max=1)
    assert name == "json"
    assert result == UrlEvent("url", "http://example.com/x", "10.0.0.1", TIME)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id.orig_h": 7},
        {"id.resp_p": "80"},
        {"id.resp_p": {}},
        {"flow_id": "x", "id": [], "time": {}, "event_type": 1, "client": 2},
    ],
    ids=str,
)
def test_a_wrong_type_costs_its_field_alone(wrong: dict[str, Any]) -> None:
    for line, text in (
        (as_json(QUERY, **wrong, host={"name": "sensor"}, method=5), "example.com"),
        (as_json(REQUEST, **wrong, query={}, trans_id="x"), "http://example.com/a?b=c"),
    ):
        ((_, result),) = read_record(line, source=None, lines_max=1)
        assert isinstance(result, UrlEvent), result
        assert result.observed == text
        assert result.client == (None if "id.orig_h" in wrong else "10.20.9.64")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (as_json(QUERY, query=["example.com"]), RejectReason.WRONG_TYPE),
        (as_json(REQUEST, uri=5), RejectReason.WRONG_TYPE),
        (as_json(REQUEST, host={"name": "sensor"}), RejectReason.WRONG_TYPE),
        (as_json({}, host=5), RejectReason.WRONG_TYPE),
        (as_json(REQUEST).replace(b"/a", b"/\xff"), RejectReason.NOT_UTF8),
    ],
)
def test_a_wrong_type_where_the_target_should_be_is_a_dead_letter(
    line: bytes, expected: RejectReason
) -> None:
    ((_, result),) = read_record(line, source=None, lines_max=1)
    assert reason(result) is expected


def test_a_shippers_object_in_place_of_the_host_costs_no_whole_url() -> None:
    sensor = {"host": {"name": "sensor"}}
    whole = as_json(REQUEST, uri="example.com:443", method="CONNECT", **sensor)
    assert ZeekHttp().parse(whole) == event("host", "example.com:443")


@pytest.mark.parametrize("form", ["nested", "underscores", "tagged", "tagged and nested"])
def test_forms_that_shippers_make_of_an_object_are_read_with_client_and_port(form: str) -> None:
    fields: dict[str, Any] = {**CONNECTION, **REQUEST, "id.resp_p": 8080}
    names = [name for name in fields if name.startswith("id.")]
    if "nested" in form:
        fields["id"] = {name[3:]: fields.pop(name) for name in names}
    if form == "underscores":
        fields.update({name.replace(".", "_"): fields.pop(name) for name in names})
    value = {"http": fields} if "tagged" in form else fields
    for source in (None, ZeekHttp()):
        ((name, result),) = read_record(json.dumps(value).encode(), source=source, lines_max=1)
        assert name == "zeek_http"
        assert result == event("url", "http://example.com:8080/a?b=c")


def test_tagged_queries_are_read_and_tagged_lines_of_other_logs_are_passed_over() -> None:
    query = json.dumps({"dns": {**CONNECTION, **QUERY}}).encode()
    ((_, result),) = read_record(query, source=None, lines_max=1)
    assert result == event("host", "example.com")
    conn = json.dumps({"conn": {**CONNECTION, "proto": "tcp", "service": "ssl"}}).encode()
    ((_, result),) = read_record(conn, source=None, lines_max=1)
    assert isinstance(result, Ignored)
