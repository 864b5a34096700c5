"""Zeek's http.log and dns.log, as JSON and as tab-separated values."""

from typing import Any

import pytest

from stream_detector.events import Ignored, RejectReason
from stream_detector.sources.base import Source
from stream_detector.sources.zeek import ZeekDns, ZeekHttp
from support.zeek_lines import (
    DNS_COLUMNS,
    HTTP_COLUMNS,
    QUERY,
    REQUEST,
    as_json,
    as_tsv,
    dns,
    event,
    http,
    reason,
)


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


def test_each_log_recognises_its_lines_and_not_the_others() -> None:
    http_lines = as_json(REQUEST), as_tsv(HTTP_COLUMNS, REQUEST)
    dns_lines = as_json(QUERY), as_tsv(DNS_COLUMNS, QUERY), as_json(QUERY, query=None)
    assert all(ZeekHttp().recognises(line) for line in http_lines)
    assert all(ZeekDns().recognises(line) for line in dns_lines)
    assert not any(ZeekDns().recognises(line) for line in http_lines)
    # ZeekHttp takes the lines of all other logs, and is asked after ZeekDns.
    assert not any(ZeekHttp().recognises(line) for line in dns_lines if line[:1] == b"{")
    assert ZeekHttp().recognises(as_tsv(HTTP_COLUMNS, {"trans_depth": 1, "status_code": 200}))


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
