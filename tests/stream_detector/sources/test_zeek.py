"""Zeek's http.log and dns.log, as JSON and as tab-separated values."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source
from stream_detector.sources.reading import read_record
from stream_detector.sources.zeek import ZeekDns, ZeekHttp, zeek_log_path

TIME = datetime(2026, 11, 20, 9, 0, 20, 636000, tzinfo=UTC)
CONNECTION = {
    "ts": 1795165220.636,
    "uid": "C4IqfBTvQnA2r813f5",
    "id.orig_h": "10.20.9.64",
    "id.orig_p": 48017,
    "id.resp_h": "198.18.28.112",
    "id.resp_p": 80,
}
REQUEST = {
    "trans_depth": 1,
    "method": "GET",
    "host": "example.com",
    "uri": "/a?b=c",
    "version": "1.1",
    "user_agent": "curl/8.5.0",
    "request_body_len": 0,
    "status_code": 200,
    "tags": [],
    "resp_fuids": ["FPGXN33wAFL8nMHBLj"],
}
QUERY = {
    "proto": "udp",
    "trans_id": 28456,
    "rtt": 0.017402,
    "query": "example.com",
    "qclass": 1,
    "qclass_name": "C_INTERNET",
    "qtype": 1,
    "qtype_name": "A",
    "rcode_name": "NOERROR",
    "RD": True,
    "Z": 0,
    "answers": ["cdn.example.net", "192.0.2.7"],
    "TTLs": [60.0, 60.0],
    "rejected": False,
}
HTTP_COLUMNS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri referrer version "
    "user_agent origin request_body_len response_body_len status_code status_msg info_code "
    "info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types "
    "resp_fuids resp_filenames resp_mime_types"
)
DNS_COLUMNS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto trans_id rtt query qclass qclass_name "
    "qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected"
)
HEADERS = [
    b"#separator \\x09",
    b"#set_separator\t,",
    b"#empty_field\t(empty)",
    b"#unset_field\t-",
    b"#path\thttp",
    b"#open\t2026-11-20-09-00-00",
    b"#fields\t" + HTTP_COLUMNS.replace(" ", "\t").encode(),
    b"#types\ttime\tstring\taddr\tport\taddr\tport\tcount\tstring\tstring\tstring",
    b"#close\t2026-11-20-10-00-00",
]


def as_json(fields: dict[str, Any], **other: Any) -> bytes:
    return json.dumps({**CONNECTION, **fields, **other}).encode()


def as_tsv(columns: str, fields: dict[str, Any], **other: Any) -> bytes:
    """A line as Zeek's ASCII writer has it."""
    values = {**CONNECTION, "ts": "1795165220.636000", **fields, **other}

    def written(value: Any) -> str:
        if value is None:
            return "-"
        if isinstance(value, list):
            return ",".join(map(str, value)) or "(empty)"
        return "FT"[value] if isinstance(value, bool) else str(value)

    return "\t".join(written(values.get(name)) for name in columns.split()).encode()


def http(**other: Any) -> LineResult:
    """The same from both forms."""
    result = ZeekHttp().parse(as_json(REQUEST, **other))
    assert ZeekHttp().parse(as_tsv(HTTP_COLUMNS, REQUEST, **other)) == result
    return result


def dns(**other: Any) -> LineResult:
    result = ZeekDns().parse(as_json(QUERY, **other))
    assert ZeekDns().parse(as_tsv(DNS_COLUMNS, QUERY, **other)) == result
    return result


def event(kind: str, observed: str) -> UrlEvent:
    assert kind in {"url", "host"}
    return UrlEvent(kind, observed, "10.20.9.64", TIME, "C4IqfBTvQnA2r813f5")  # type: ignore[arg-type]


def test_a_request_is_a_url_with_client_time_and_uid() -> None:
    assert http() == event("url", "http://example.com/a?b=c")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"id.resp_p": 8080}, "http://example.com:8080/a?b=c"),
        ({"id.resp_p": 3128, "host": "example.com:8080"}, "http://example.com:8080/a?b=c"),
        ({"host": None}, "http://198.18.28.112/a?b=c"),
        ({"host": None, "id.resp_h": "2001:db8::1"}, "http://[2001:db8::1]/a?b=c"),
        (
            {"host": None, "id.resp_h": "2001:db8::1", "id.resp_p": 8080},
            "http://[2001:db8::1]:8080/a?b=c",
        ),
        ({"host": "[2001:db8::1]", "id.resp_p": 8080}, "http://[2001:db8::1]:8080/a?b=c"),
        ({"uri": "http://proxied.example/a"}, "http://proxied.example/a"),
        ({"uri": "/to/http://other.example/"}, "http://example.com/to/http://other.example/"),
        ({"uri": "/?to=http://other.example/"}, "http://example.com/?to=http://other.example/"),
        ({"uri": None}, "http://example.com/"),
        ({"uri": "/b\xfccher"}, "http://example.com/b\xfccher"),
    ],
)
def test_host_port_and_uri_make_the_url(fields: dict[str, Any], url: str) -> None:
    assert http(**fields) == event("url", url)


def test_connect_is_a_host() -> None:
    assert http(method="CONNECT", uri="example.com:443") == event("host", "example.com:443")


def test_a_reply_without_its_request_is_ignored() -> None:
    assert isinstance(http(method=None, host=None, uri=None), Ignored)


def test_a_request_without_host_and_server_is_rejected() -> None:
    assert reason(http(**{"host": None, "id.resp_h": None})) is RejectReason.NO_URL


def test_a_query_is_a_host_and_its_answers_are_none() -> None:
    assert dns() == event("host", "example.com")


@pytest.mark.parametrize("query", [None, "", "printer", "7.2.0.192.in-addr.arpa", "1.0.ip6.arpa"])
def test_queries_for_no_target_are_ignored(query: str | None) -> None:
    assert isinstance(dns(query=query), Ignored)


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
        {"version": "TLSv13", "server_name": "example.com"},
        {"_path": "sip", "method": "REGISTER", "uri": "sip:example.com"},
        {"_path": "weird", "host": "example.com", "query": "example.com"},
    ],
    ids=["conn.log", "ssl.log", "sip.log", "another"],
)
def test_objects_of_other_logs_are_ignored(other: dict[str, Any]) -> None:
    line = as_json(other)
    (claimant,) = [source for source in (ZeekDns(), ZeekHttp()) if source.recognises(line)]
    assert isinstance(claimant.parse(line), Ignored)


def test_each_log_recognises_its_lines_and_not_the_others() -> None:
    http_lines = as_json(REQUEST), as_tsv(HTTP_COLUMNS, REQUEST)
    dns_lines = as_json(QUERY), as_tsv(DNS_COLUMNS, QUERY), as_json(QUERY, query=None)
    assert all(ZeekHttp().recognises(line) for line in http_lines)
    assert all(ZeekDns().recognises(line) for line in dns_lines)
    assert not any(ZeekDns().recognises(line) for line in http_lines)
    # ZeekHttp takes the lines of all other logs, and is asked after ZeekDns.
    assert not any(ZeekHttp().recognises(line) for line in dns_lines if line[:1] == b"{")
    assert ZeekHttp().recognises(as_tsv(HTTP_COLUMNS, {"trans_depth": 1, "status_code": 200}))


START = "1795165220.636000\tC4IqfBTvQnA2r813f5\t10.20.9.64\t48017\t198.18.28.112\t"
OTHER_LOGS = {
    "ssh": "22\t2\tT\t1\tOUTBOUND\tSSH-2.0-a\tSSH-2.0-b\taes\thmac\tnone\tcurve\ted25519\tSHA256:x",
    "ssh, unset": "22\t2\t-\t0\tINBOUND\tSSH-2.0-a\tSSH-2.0-b\taes\thmac\tnone\tcurve\ted25519",
    "smtp": "25\t1\tHELLO\ta@b.example\tc@d.example\tMon, 5 Jan 2026 11:36:07 +0530\t-\t-",
    "smtp, unset": "25\t1\t-\t-\t-\t-\t-\t-\t-\t-\t-",
    "sip": '5060\t0\tOPTIONS\tsip:100@192.0.2.10\t-\t"a"<sip:a@b.example>\t<sip:b>\t-\t-',
    "sip, no user": "5060\t1\tREGISTER\tsip:b.example\t-\t<sip:a@b.example>\t<sip:b>\t-\t-",
    "socks": "1080\t5\t-\t-\tsucceeded\t-\tevil.example\t443\t192.0.2.1\t-\t443",
    "ldap": "389\t3\t3\tbind simple\tsuccess\t-\tcn=a\tREDACTED\t-\t-",
    "ldap, unset": "389\t3\t-\tsearch\tsuccess\t-\tcn=a\t-\t-\t-",
    "quic": "443\t1\tABCDEFAB\t-\tDEADBEEF\texample.com\th3\tISishH\t-\t-",
    "rdp": "3389\t1001\tSSL_NOT_ALLOWED_BY_SERVER\t-\t-\t-\t-\t-\t-\t-\t-",
    "radius": "1812\t1001\tAA-BB-CC-DD-EE-FF\t192.0.2.9\t-\t-\tsuccess\t-\t-\t-",
    "ntlm": "445\t1001\tDESKTOP\tCORP\tSERVER\tserver.corp.example\tcorp.example\tT\t-\t-",
    "ssl": "443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\texample.com\tF\t-\t-\tT\tCsx\t-\t-\t-",
    "ftp": "21\t1001\t-\tRETR\tftp://192.0.2.9/a\tapplication/x-dosexec\t9\t226\t-\t-",
    "conn": "53\tudp\tdns\t0.1\t44\t60\tSF\tT\tF\t0\tDd\t1\t72\t1\t88\t-",
    "conn, unset": "53\ttcp\t-\t-\t-\t-\tS0\tT\tF\t0\tS\t1\t60\t0\t0\t-",
    "conn, icmp": "0\ticmp\t-\t0.1\t44\t60\tOTH\tT\tF\t0\t-\t1\t72\t1\t88\t-",
    "mysql": "3306\tquery\tselect 1\tT\t1\t-\t-\t-\t-",
    "dce_rpc": "135\t0.01\t135\tepmapper\tept_map\t-\t-\t-",
    "syslog": "514\tudp\tDAEMON\tINFO\tquery[A] evil.example from 10.0.0.1",
}


@pytest.mark.parametrize("columns", OTHER_LOGS.values(), ids=OTHER_LOGS)
@pytest.mark.parametrize("source", [None, ZeekHttp(), ZeekDns()], ids=["found", "http", "dns"])
def test_tsv_lines_of_other_logs_are_passed_over(source: Source | None, columns: str) -> None:
    ((name, result),) = read_record((START + columns).encode(), source=source, lines_max=1)
    assert name.startswith("zeek_")
    assert isinstance(result, Ignored), result


@pytest.mark.parametrize(
    "line",
    [
        "1795165220.6\tFabc\tC1\t10.0.0.1\t1\t10.0.0.2\t80\tHTTP\t0\tPE\tapplication/x-dosexec\t-",
        "1795165220.6\tFabc\t192.0.2.9\t10.0.0.1\tC1\tHTTP\t0\t(empty)\tapplication/x-dosexec\t-",
        "1795165220.6\t10.20.9.64\t192.0.2.9\t22\ttcp\tx\ty\tGET\texample.com\t/",
        # dns.log as versions before 2.5 had it, without rtt: columns no one should guess.
        f"{START}53\tudp\t28456\texample.com\t1\tC_INTERNET\t1\tA\t0\tNOERROR",
    ],
    ids=["files", "older files", "another", "older dns"],
)
def test_tsv_lines_with_other_columns_are_dead_letters(line: str) -> None:
    for source in (None, ZeekHttp(), ZeekDns()):
        ((_, fault),) = read_record(line.encode(), source=source, lines_max=1)
        assert isinstance(fault, Rejected | Ignored)
    ((_, fault),) = read_record(line.encode(), source=None, lines_max=1)
    assert reason(fault) is RejectReason.MALFORMED


@pytest.mark.parametrize("log", ["ssh", "files", "sip", "conn"])
def test_lines_under_the_header_of_another_log_are_passed_over(log: str) -> None:
    value = f"#separator \\x09\n#path\t{log}\n".encode() + as_tsv(HTTP_COLUMNS, REQUEST)
    for source in (None, ZeekHttp(), ZeekDns()):
        results = [result for _, result in read_record(value, source=source, lines_max=9)]
        assert [type(result) for result in results] == [Ignored] * 3


@pytest.mark.parametrize(
    ("method", "host", "uri"),
    [
        ("PROPFIND", "example.com", "/dav"),
        ("OPTIONS", "example.com", "*"),
        ("M-SEARCH", "192.0.2.9:1900", "*"),
        ("NOTIFY", "example.com", "/a"),
        ("get", "example.com", "/a"),
        ("GET", "example.com", "a"),
        ("FOO", "-", "/a"),
        ("GET", "exa mple.com", "/a b"),
    ],
)
def test_tsv_requests_of_all_methods_are_read(method: str, host: str, uri: str) -> None:
    line = f"{START}80\t1\t{method}\t{host}\t{uri}\t-\t1.1\tcurl".encode()
    ((name, result),) = read_record(line, source=None, lines_max=1)
    assert name == "zeek_http"
    assert isinstance(result, UrlEvent)


@pytest.mark.parametrize(
    "other",
    [
        {"trans_depth": 0, "method": "OPTIONS", "uri": "sip:100@192.0.2.10"},
        {"trans_depth": 0, "method": "REGISTER", "uri": "sips:b.example"},
        {"trans_depth": 0, "method": "INVITE", "request_from": "a"},
    ],
)
def test_sip_requests_without_a_name_of_the_log_are_passed_over(other: dict[str, Any]) -> None:
    ((_, result),) = read_record(as_json(other), source=None, lines_max=1)
    assert isinstance(result, Ignored)


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
    ((name, result),) = read_record(json.dumps(fields).encode(), source=None, lines_max=1)
    assert name == "json"
    assert isinstance(result, UrlEvent)
    assert result.observed == host


def test_a_message_in_gelf_with_a_field_path_is_a_dead_letter() -> None:
    line = b'{"version":"1.1","host":"lb2","short_message":"GET /cart","_path":"/cart"}'
    ((_, fault),) = read_record(line, source=None, lines_max=1)
    assert reason(fault) is RejectReason.UNKNOWN_FORMAT
    assert reason(ZeekHttp().parse(line)) is RejectReason.MALFORMED


def test_an_object_with_a_url_is_none_of_zeeks() -> None:
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


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("example.com:25 /", None),
        ("example.com:25", None),
        ("https://example.com:25/", None),
        ("/", "example.com:25"),
        (None, "example.com:25"),
    ],
)
def test_connect_names_its_host_in_several_ways(uri: str | None, host: str | None) -> None:
    assert http(method="CONNECT", uri=uri, host=host) == event("host", "example.com:25")


def test_bytes_that_are_no_utf8_are_percent_encoded_in_both_forms() -> None:
    line = as_tsv(HTTP_COLUMNS, REQUEST, uri="/caf\\xe9")
    assert ZeekHttp().parse(line) == event("url", "http://example.com/caf%E9")
    assert ZeekHttp().parse(as_json(REQUEST, uri="/caf\\xe9")) == event(
        "url", "http://example.com/caf%E9"
    )
    # In JSON the others are no escapes: someone asked for these four characters.
    assert ZeekHttp().parse(as_json(REQUEST, uri="/a\\x2fb")) == event(
        "url", "http://example.com/a\\x2fb"
    )


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("0abad\\xbe\\xbf\\xc0zz.t.example.com", "t.example.com"),
        ("a/b+c=.t.example.com", "t.example.com"),
        ("Office Printer 3._ipp._tcp.example.com", "example.com"),
    ],
)
def test_of_names_that_no_host_can_have_the_domain_is_left(query: str, name: str) -> None:
    assert ZeekDns().parse(as_json(QUERY, query=query)) == event("host", name)
    assert ZeekDns().parse(as_tsv(DNS_COLUMNS, QUERY, query=query)) == event("host", name)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"url":"http://example.com/"}',
        b'{"uid":"C1"}',
        b"1795165220.636000\tC1",
        b"1795165220.636000 88 10.20.3.20 TCP_MISS/200 48909 GET http://example.com/ - - -",
        b"# a comment",
        b"#fieldsofgold.example",
    ],
    ids=["empty", "brace", "json", "no ts", "short", "squid", "comment", "word"],
)
def test_lines_of_other_kinds_are_not_recognised(line: bytes) -> None:
    assert not ZeekHttp().recognises(line)
    assert not ZeekDns().recognises(line)


@pytest.mark.parametrize("line", HEADERS)
@pytest.mark.parametrize("source", [ZeekHttp(), ZeekDns()])
def test_a_header_line_is_recognised_and_ignored(source: Source, line: bytes) -> None:
    assert source.recognises(line)
    assert isinstance(source.parse(line), Ignored)


def parse_all(source: Source, lines: Sequence[bytes]) -> list[LineResult]:
    source = source.for_record(lines)
    return [source.parse(line) for line in lines]


def test_a_fields_line_says_where_the_columns_are() -> None:
    columns = "uid ts host id.orig_h uri method id.resp_h id.resp_p"
    header = b"#fields\t" + columns.replace(" ", "\t").encode()
    results = parse_all(ZeekHttp(), [header, as_tsv(columns, REQUEST)])
    assert isinstance(results[0], Ignored)
    assert results[1] == event("url", "http://example.com/a?b=c")
    # A record's header counts for that record alone.
    assert http() == event("url", "http://example.com/a?b=c")


@pytest.mark.parametrize(
    "header", [[b"#unset_field\tNULL"], [b"#unset_field\tNULL", b"#empty_field\tNONE"]]
)
@pytest.mark.parametrize("unset", [{"host": "NULL"}, {"host": "-"}, {"host": ""}])
def test_a_header_says_what_a_column_without_a_value_has(
    header: list[bytes], unset: dict[str, str]
) -> None:
    fields = b"#fields\t" + HTTP_COLUMNS.replace(" ", "\t").encode()
    line = as_tsv(HTTP_COLUMNS, REQUEST, **unset)
    result = parse_all(ZeekHttp(), [*header, fields, line])[-1]
    on_server = event("url", "http://198.18.28.112/a?b=c")
    assert result == (event("url", "http://-/a?b=c") if unset["host"] == "-" else on_server)
    query = as_tsv(DNS_COLUMNS, QUERY, query="NULL")
    fields = b"#fields\t" + DNS_COLUMNS.replace(" ", "\t").encode()
    assert isinstance(parse_all(ZeekDns(), [*header, fields, query])[-1], Ignored)


def test_escapes_of_tsv_are_undone() -> None:
    line = as_tsv(HTTP_COLUMNS, {**REQUEST, "uri": "/caf\\xc3\\xa9/a\\x09b\\x5c"})
    assert ZeekHttp().parse(line) == event("url", "http://example.com/café/a\tb\\")


def test_optional_columns_at_the_end_may_be_missing() -> None:
    short = as_tsv(HTTP_COLUMNS, REQUEST).split(b"\t")[:10]
    assert ZeekHttp().parse(b"\t".join(short)) == event("url", "http://example.com/a?b=c")
    assert reason(ZeekHttp().parse(b"\t".join(short[:9]))) is RejectReason.MALFORMED


@pytest.mark.parametrize(
    ("source", "columns"), [(ZeekHttp(), "ts uid query uri"), (ZeekDns(), "ts uid uri query")]
)
def test_a_line_shorter_than_its_header_is_rejected(source: Source, columns: str) -> None:
    header = b"#fields\t" + columns.replace(" ", "\t").encode()
    results = parse_all(source, [header, b"1795165220.636000\tC1\texample.com"])
    assert reason(results[1]) is RejectReason.MALFORMED


@pytest.mark.parametrize(
    ("source", "columns"), [(ZeekHttp(), "ts host uri query"), (ZeekDns(), "ts host query uri")]
)
def test_a_column_of_another_log_may_be_missing(source: Source, columns: str) -> None:
    header = b"#fields\t" + columns.replace(" ", "\t").encode()
    results = parse_all(source, [header, b"1795165220.636000\texample.com\texample.com"])
    assert isinstance(results[1], UrlEvent)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"hello", RejectReason.MALFORMED),
        (b"{", RejectReason.MALFORMED),
        (b"{}", RejectReason.MALFORMED),
        (b'{"url":"http://example.com/"}', RejectReason.MALFORMED),
        (as_tsv(HTTP_COLUMNS, REQUEST).replace(b"/a", b"/\xff"), RejectReason.NOT_UTF8),
    ],
)
@pytest.mark.parametrize("source", [ZeekHttp(), ZeekDns()])
def test_each_fault_has_its_reason(source: Source, line: bytes, expected: RejectReason) -> None:
    assert reason(source.parse(line)) is expected


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        (HEADERS, "http"),
        ([b"#separator \\x09", b"#path\tconn"], "conn"),
        ([b"#fields\t" + HTTP_COLUMNS.replace(" ", "\t").encode()], "http"),
        ([b"#fields\t" + DNS_COLUMNS.replace(" ", "\t").encode()], "dns"),
        ([b"#fields\tts\tuid"], ""),
        ([b"#fields\tts\tuid\tid.orig_h\tmethod\turi\trequest_from"], ""),
        ([b"#path\tdns_office", b"#fields\tts\tuid"], "dns_office"),
        ([b"#separator \\x09"], None),
        ([], None),
    ],
)
def test_which_log_header_lines_are_of(lines: Sequence[bytes], path: str | None) -> None:
    assert zeek_log_path(lines) == path


def reason(result: object) -> RejectReason:
    assert isinstance(result, Rejected), result
    return result.reason
