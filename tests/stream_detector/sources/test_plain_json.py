"""JSON objects with a ``url`` or a ``host``."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Rejected, RejectReason, UrlEvent
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
        ({"message": URL}, RejectReason.NO_URL),
        ({"url": 5}, RejectReason.WRONG_TYPE),
        ({"url": {"full": URL}}, RejectReason.WRONG_TYPE),
        ({"url": [URL]}, RejectReason.WRONG_TYPE),
        ({"url": URL, "client": 7}, RejectReason.WRONG_TYPE),
        ({"url": URL, "id": 7.5}, RejectReason.WRONG_TYPE),
        ({"url": URL, "time": [2026]}, RejectReason.WRONG_TYPE),
    ],
)
def test_each_fault_has_its_reason(fields: dict[str, Any], reason: RejectReason) -> None:
    fault = parse(**fields)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason


def test_every_object_is_recognised_and_nothing_else() -> None:
    assert PlainJson().recognises(b'{"message":"hello"}')
    for line in (b"", b"{", b"[]", b'"http://example.com/"', b'{"url":5}', b"example.com"):
        assert not PlainJson().recognises(line)
