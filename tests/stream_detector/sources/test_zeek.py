"""Zeek's http.log and dns.log, as JSON and as tab-separated values."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source
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
    assert not any(ZeekHttp().recognises(line) for line in dns_lines)
    assert ZeekHttp().recognises(as_tsv(HTTP_COLUMNS, {"trans_depth": 1, "status_code": 200}))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"url":"http://example.com/"}',
        b'{"uid":"C1"}',
        b"1795165220.636000\tC1",
        b"1795165220.636000 88 10.20.3.20 TCP_MISS/200 48909 GET http://example.com/ - - -",
        b"1795165220.636000\tC1\t10.0.0.1\t1\t10.0.0.2\t22\t2\tT\t1\tOUTBOUND\tSSH-2.0-a\tSSH-2.0-b",
        b"1795165220.636000\tC1\t10.0.0.1\t1\t10.0.0.2\t25\t1\tlocalhost\ta@b.example\tc@d.example",
        b"# a comment",
        b"#fieldsofgold.example",
    ],
    ids=["empty", "brace", "json", "no ts", "short", "squid", "ssh", "smtp", "comment", "word"],
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
        (as_json(QUERY, **{"id.orig_h": 7}), RejectReason.WRONG_TYPE),
        (as_json(QUERY, query=["example.com"]), RejectReason.WRONG_TYPE),
        (as_json(REQUEST).replace(b"/a", b"/\xff"), RejectReason.NOT_UTF8),
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
        ([b"#fields\tts\tuid"], None),
        ([b"#separator \\x09"], None),
        ([], None),
    ],
)
def test_which_log_header_lines_are_of(lines: Sequence[bytes], path: str | None) -> None:
    assert zeek_log_path(lines) == path


def reason(result: LineResult) -> RejectReason:
    assert isinstance(result, Rejected), result
    return result.reason
