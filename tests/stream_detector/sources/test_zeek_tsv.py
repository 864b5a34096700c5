"""Zeek's logs as tab-separated values: header lines, columns, lines of other logs."""

from collections.abc import Sequence
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source
from stream_detector.sources.reading import read_record
from stream_detector.sources.zeek import ZeekDns, ZeekHttp
from stream_detector.sources.zeek_tsv import zeek_log_path
from support.zeek_lines import (
    DNS_COLUMNS,
    HEADERS,
    HTTP_COLUMNS,
    QUERY,
    REQUEST,
    as_json,
    as_tsv,
    event,
    http,
    reason,
)

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
    "ftp": "21\t1001\t-\tRETR\tftp://192.0.2.9/a\tapplication/x-dosexec\t9\t226\t-\t-",
    "conn": "53\tudp\tdns\t0.1\t44\t60\tSF\tT\tF\t0\tDd\t1\t72\t1\t88\t-",
    "conn, unset": "53\ttcp\t-\t-\t-\t-\tS0\tT\tF\t0\tS\t1\t60\t0\t0\t-",
    "conn, icmp": "0\ticmp\t-\t0.1\t44\t60\tOTH\tT\tF\t0\t-\t1\t72\t1\t88\t-",
    "mysql": "3306\tquery\tselect 1\tT\t1\t-\t-\t-\t-",
    "dce_rpc": "135\t0.01\t135\tepmapper\tept_map\t-\t-\t-",
    "syslog": "514\tudp\tDAEMON\tINFO\tquery[A] evil.example from 10.0.0.1",
}


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ("443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\texample.com\tF\t-\th2\tT", "example.com"),
        ("443\tTLSv12\tTLS_RSA_WITH_AES_256_CBC_SHA\t-\texample.com\tT\t-\t-\tT", "example.com"),
        ("443\tDTLSv12\t-\t-\texample.com\tF", "example.com"),
        ("443\t-\t-\t-\texample.com\tF\t-\t-\tF\t-", "example.com"),
        ("443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\t-\tF\t-\th2\tT", None),
    ],
)
def test_the_server_name_of_a_handshake_is_read(columns: str, name: str | None) -> None:
    ((log, result),) = read_record((START + columns).encode(), source=None, lines_max=1)
    assert log == "zeek_ssl"
    if name is None:
        assert isinstance(result, Ignored)
    else:
        assert isinstance(result, UrlEvent)
        assert (result.kind, result.observed, result.client) == ("host", name, "10.20.9.64")
    for other in (ZeekHttp(), ZeekDns()):
        assert isinstance(other.parse((START + columns).encode()), Ignored)


@pytest.mark.parametrize("path", ["ssl", "quic"])
def test_a_header_says_where_the_server_name_is(path: str) -> None:
    header = f"#path\t{path}\n#fields\tts\tuid\tid.orig_h\tserver_name\n"
    line = "1795165220.6\tC1\t10.20.9.64\texample.com\n"
    *_, (log, result) = read_record((header + line).encode(), source=None, lines_max=9)
    assert (log, getattr(result, "observed", None)) == ("zeek_ssl", "example.com")


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
