"""JSON objects read by the fields that the settings name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import EventResult
from stream_detector.sources.json_fields import chosen_fields
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import SOURCES

TIME = datetime(2026, 11, 20, 9, 0, 20, tzinfo=UTC)
URL = "http://example.com/a"


def read(
    names: dict[str, str], *values: dict[str, Any], source: str | None = None
) -> list[tuple[str, EventResult]]:
    record = b"\n".join(json.dumps(value).encode() for value in values)
    return read_record(
        record, source=source and SOURCES[source], lines_max=9, json_fields=chosen_fields(names)
    )


def result(names: dict[str, str], value: dict[str, Any], source: str | None = None) -> EventResult:
    ((_, found),) = read(names, value, source=source)
    return found


@pytest.mark.parametrize("source", [None, "json"])
@pytest.mark.parametrize(
    ("names", "value"),
    [
        ({"url": "request.url"}, {"request": {"url": URL}}),
        ({"url": "request.url"}, {"request.url": URL}),
        ({"url": "a.b.c"}, {"a": {"b.c": URL}}),
        ({"url": "a.b.c"}, {"a": {"b": {"c": URL}}}),
        ({"url": "URL"}, {"URL": URL, "url": "http://other.example/"}),
    ],
)
def test_a_chosen_field_is_found_nested_or_with_dots_in_its_name(
    names: dict[str, str], value: dict[str, Any], source: str | None
) -> None:
    assert result(names, value, source) == UrlEvent("url", URL)


def test_each_of_the_five_can_be_chosen() -> None:
    names = {"url": "u", "host": "h", "client": "src.addr", "time": "at", "id": "n"}
    value = {"u": "/a", "h": "example.com", "src": {"addr": "10.0.0.1"}, "at": 1795165220, "n": 7}
    assert result(names, value) == UrlEvent("url", URL, "10.0.0.1", TIME, "7")


def test_what_is_not_chosen_is_read_under_its_own_name() -> None:
    value = {"domain": "example.com", "src_ip": "10.0.0.1", "time": 1795165220, "id": "7"}
    event = UrlEvent("host", "example.com", "10.0.0.1", TIME, "7")
    assert result({"host": "domain"}, value) == event
    assert result({"client": "c"}, {"url": URL, "c": "10.0.0.1"}) == UrlEvent(
        "url", URL, "10.0.0.1"
    )


def test_a_chosen_host_is_no_shippers() -> None:
    value = {"domain": "example.com", "host": "proxy-1", "message": "GET / 200"}
    assert result({"host": "domain"}, value) == UrlEvent("host", "example.com")
    value = {"host": "example.com", "message": "GET / 200"}
    assert result({"host": "host"}, value) == UrlEvent("host", "example.com")


@pytest.mark.parametrize("domain", [None, 5, {}, ["example.com"], ""])
def test_without_the_chosen_field_an_object_is_read_as_usual(domain: object) -> None:
    names = {"host": "domain"}
    assert result(names, {"domain": domain, "url": URL}) == UrlEvent("url", URL)
    fault = result(names, {"domain": domain})
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.NO_URL


def test_other_formats_in_the_same_record_stay_what_they_are() -> None:
    tls = {"event_type": "tls", "tls": {"sni": "tls.example"}}
    results = read({"host": "domain"}, {"domain": "a.example", "event_type": "x"}, tls)
    assert results == [
        ("json", UrlEvent("host", "a.example")),
        ("suricata", UrlEvent("host", "tls.example")),
    ]
    assert result({"host": "a"}, tls, "suricata") == UrlEvent("host", "tls.example")


def test_elements_of_an_array_are_read_so_too() -> None:
    value = b'[{"domain":"a.example"},{"domain":"b.example"}]'
    results = read_record(
        value, source=None, lines_max=9, json_fields=chosen_fields({"host": "domain"})
    )
    assert [r.observed for _, r in results if isinstance(r, UrlEvent)] == ["a.example", "b.example"]


def test_nothing_chosen_is_no_reader() -> None:
    assert chosen_fields({}) is None


SHIPPER = "fw-1.corp.example"


@pytest.mark.parametrize(
    ("names", "value"),
    [
        ({"host": "domain"}, {"host": SHIPPER, "x": 1}),
        ({"url": "request.url"}, {"host": SHIPPER, "level": "info"}),
        ({"url": "request.url"}, {"host": SHIPPER, "request": {"url": [URL]}}),
        ({"url": "request.url"}, {"host": SHIPPER, "request": {"url": "/a"}}),
        ({"url": "request.url"}, {"host": SHIPPER, "url": "/a"}),
    ],
)
def test_with_a_chosen_target_the_usual_host_gives_no_verdict(
    names: dict[str, str], value: dict[str, Any]
) -> None:
    for source in (None, "json"):
        fault = result(names, value, source)
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.NO_URL


def test_a_chosen_host_counts_where_the_chosen_url_is_none() -> None:
    value = {"u": 5, "h": "example.com", "host": SHIPPER}
    assert result({"url": "u", "host": "h"}, value) == UrlEvent("host", "example.com")


def test_without_the_chosen_time_the_usual_one_counts() -> None:
    value = {"url": URL, "time": 1795165220}
    assert result({"time": "t"}, value) == UrlEvent("url", URL, None, TIME)


def test_another_format_keeps_the_fields_that_it_shares_with_a_chosen_one() -> None:
    request = {
        "ts": 1795165220.0,
        "uid": "C1",
        "id.orig_h": "10.0.0.1",
        "id.resp_h": "192.0.2.7",
        "method": "GET",
        "host": "example.com",
        "uri": "/a",
    }
    event = UrlEvent("url", URL, "10.0.0.1", TIME, "C1")
    for names in ({"host": "host"}, {"host": "domain"}, {"url": "request.url"}):
        assert read(names, request) == [("zeek_http", event)]
    connection = {"ts": 1795165220.0, "uid": "C1", "service": "ssl"}
    chosen = {**connection, "domain": "example.com"}
    assert result({"host": "domain"}, chosen) == UrlEvent("host", "example.com", None, TIME)
    assert isinstance(result({"host": "domain"}, connection), Ignored)
