"""How an HTTP request's parts become one URL or host."""

from datetime import UTC, datetime

import pytest

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.targets import http_event

TIME = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def result(
    target: str | None,
    *,
    method: str | None = "GET",
    host: str | None = "example.com",
    port: int | str | None = None,
) -> LineResult:
    return http_event(
        method=method,
        host=host,
        port=port,
        target=target,
        client="192.0.2.1",
        time=TIME,
        log_id="C1",
    )


def observed(target: str | None, **parts: str | int | None) -> str:
    event = result(target, **parts)  # type: ignore[arg-type]
    assert isinstance(event, UrlEvent)
    assert (event.client, event.time, event.log_id) == ("192.0.2.1", TIME, "C1")
    # What is put together here must be what the canonical form takes apart again.
    assert isinstance(canonicalise(event.kind, event.observed), Canonical)
    return f"{event.kind} {event.observed}"


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/", "http://example.com/"),
        ("/a/b?c=d", "http://example.com/a/b?c=d"),
        ("a/b", "http://example.com/a/b"),
        ("", "http://example.com/"),
        (None, "http://example.com/"),
        ("http://other.example/a", "http://other.example/a"),
        ("HTTPS://other.example/a", "HTTPS://other.example/a"),
        ("ftp://other.example/a", "ftp://other.example/a"),
    ],
)
def test_path_or_whole_url(target: str | None, url: str) -> None:
    assert observed(target) == f"url {url}"


@pytest.mark.parametrize(
    "target",
    [
        "/redirect/http://other.example/",
        "/?to=http://other.example/",
        "?to=http://other.example/",
        "/web/2024/https://other.example/a",
        "//other.example/http://x",
        "a/b://c",
        "1://other.example/",
    ],
)
def test_only_what_starts_with_a_scheme_is_a_whole_url(target: str) -> None:
    event = result(target)
    assert isinstance(event, UrlEvent)
    form = canonicalise("url", event.observed)
    assert isinstance(form, Canonical)
    assert form.host == "example.com"
    assert event.observed.endswith(target)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("example.com", None, "http://example.com/a"),
        ("example.com", 80, "http://example.com/a"),
        ("example.com", "80", "http://example.com/a"),
        ("example.com", 0, "http://example.com/a"),
        ("example.com", 8080, "http://example.com:8080/a"),
        ("example.com", "8080", "http://example.com:8080/a"),
        ("example.com:8000", 8080, "http://example.com:8000/a"),
        ("192.0.2.7", 8080, "http://192.0.2.7:8080/a"),
        ("2001:db8::1", None, "http://[2001:db8::1]/a"),
        ("2001:db8::1", 80, "http://[2001:db8::1]/a"),
        ("2001:db8::1", 8080, "http://[2001:db8::1]:8080/a"),
        ("::ffff:192.0.2.7", 8080, "http://[::ffff:192.0.2.7]:8080/a"),
        ("[2001:db8::1]", None, "http://[2001:db8::1]/a"),
        ("[2001:db8::1]", 8080, "http://[2001:db8::1]:8080/a"),
        ("[2001:db8::1]:8000", 8080, "http://[2001:db8::1]:8000/a"),
    ],
)
def test_host_and_port(host: str, port: int | str | None, url: str) -> None:
    assert observed("/a", host=host, port=port) == f"url {url}"


def test_connect_names_a_host_alone() -> None:
    assert observed("other.example:443", method="CONNECT") == "host other.example:443"
    assert observed("[2001:db8::1]:443", method="CONNECT") == "host [2001:db8::1]:443"
    assert observed(None, method="CONNECT") == "host example.com"


@pytest.mark.parametrize("method", ["GET", "CONNECT", None])
def test_without_a_host_there_is_no_url(method: str | None) -> None:
    for target in ("/a", None) if method != "CONNECT" else (None, ""):
        for host in (None, ""):
            rejected = result(target, method=method, host=host)
            assert isinstance(rejected, Rejected)
            assert rejected.reason is RejectReason.NO_URL
