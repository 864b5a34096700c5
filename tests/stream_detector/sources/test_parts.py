"""Named parts become a URL, a host, or a reason."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.parts import Parts, client_of

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parts", "kind", "observed"),
    [
        (Parts(url="http://a.example/b?c"), "url", "http://a.example/b?c"),
        (Parts(url="HTTPS://a.example/"), "url", "HTTPS://a.example/"),
        (Parts(url="ftp://a.example/b", host="other.example"), "url", "ftp://a.example/b"),
        (Parts(url="/b?c", host="a.example"), "url", "http://a.example/b?c"),
        (Parts(url="/b", host="a.example", port="8080"), "url", "http://a.example:8080/b"),
        (Parts(url="/b", host="a.example", port="443"), "url", "https://a.example/b"),
        (Parts(url="/b", host="a.example", scheme="https"), "url", "https://a.example/b"),
        (Parts(url="/b", host="2001:db8::1"), "url", "http://[2001:db8::1]/b"),
        (Parts(url="-", host="a.example", path="/b", query="c=1"), "url", "http://a.example/b?c=1"),
        (Parts(host="a.example", path="/b", query="-"), "url", "http://a.example/b"),
        (Parts(host="a.example", query="?c"), "url", "http://a.example/?c"),
        (Parts(url="setup.zip", host="a.example"), "url", "http://a.example/setup.zip"),
        (Parts(url="a.example/b", host="a.example"), "url", "a.example/b"),
        (Parts(url="//a.example/b", host="a.example"), "url", "http://a.example/b"),
        (Parts(url="example.com/login"), "url", "example.com/login"),
        (Parts(url="a.internal:8080"), "url", "a.internal:8080"),
        (Parts(url="http://-/b", host="a.example"), "url", "http://a.example/b"),
        (Parts(url="GET /b HTTP/1.1", host="a.example"), "url", "http://a.example/b"),
        (Parts(url=r"GET /b HTTP/1.1\r\nHost: a.example\r\n"), "url", "http://a.example/b"),
        (Parts(url="GET http://a.example/b HTTP/1.1"), "url", "http://a.example/b"),
        (Parts(url="CONNECT a.example:443 HTTP/1.1"), "host", "a.example:443"),
        (Parts(url="a.example:443", method="CONNECT"), "host", "a.example:443"),
        (Parts(url="https://a.example:443/", method="CONNECT"), "host", "a.example:443"),
        (Parts(url="/", host="a.example", method="CONNECT"), "host", "a.example"),
        (Parts(url="tunnel://a.example:443/"), "host", "a.example:443"),
        (Parts(url="ssl://a.example:443/"), "host", "a.example:443"),
        (Parts(host="a.example"), "host", "a.example"),
        (Parts(host="192.0.2.7"), "host", "192.0.2.7"),
        (Parts(host="http://a.example/b"), "url", "http://a.example/b"),
        (Parts(name="a.example.", host="resolver"), "host", "a.example."),
    ],
)
def test_the_target(parts: Parts, kind: str, observed: str) -> None:
    event = parts.event()
    assert isinstance(event, UrlEvent)
    assert (event.kind, event.observed) == (kind, observed)


@pytest.mark.parametrize(
    "parts",
    [
        Parts(),
        Parts(url="-"),
        Parts(url="/b"),
        Parts(path="/b"),
        Parts(url="-/b"),
        Parts(url="http:///b"),
        Parts(url="http://-/b"),
        Parts(url="report.pdf"),
        Parts(url="N/A", host="unknown"),
        Parts(url="-", method="CONNECT"),
        Parts(url="/", method="CONNECT"),
        Parts(name="-"),
        Parts(name=""),
    ],
)
def test_no_target(parts: Parts) -> None:
    fault = parts.event()
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.NO_URL


def test_names_of_no_host_are_ignored() -> None:
    assert isinstance(Parts(name="printer").event(), Ignored)
    assert isinstance(Parts(name="1.2.0.192.in-addr.arpa").event(), Ignored)


def test_client_time_and_id() -> None:
    event = Parts(
        host="a.example", client="10.0.0.9:5353", time="2026-01-02T03:04:05Z", log_id="C1"
    ).event()
    assert event == UrlEvent("host", "a.example", "10.0.0.9", TIME, "C1")
    assert Parts(host="a.example", client="-", time=TIME, log_id="-").event() == UrlEvent(
        "host", "a.example", None, TIME, None
    )


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("10.0.0.9", "10.0.0.9"),
        ("10.0.0.9:53", "10.0.0.9"),
        ("10.0.0.9#53", "10.0.0.9"),
        ("10.0.0.9/53", "10.0.0.9"),
        ("[2001:db8::9]:53", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("laptop.example", "laptop.example"),
        ("N/A", None),
        ("", None),
    ],
)
def test_a_client_has_no_port(text: str, client: str | None) -> None:
    assert client_of(text) == client


WORDS = (
    st.none() | st.text(max_size=30) | st.sampled_from(["-", "CONNECT", "a.example", "/b", "//"])
)


@settings(deadline=None, max_examples=300)
@given(st.lists(WORDS, min_size=11, max_size=11))
def test_any_texts_give_a_result(words: list[str | None]) -> None:
    result = Parts(*words).event()
    assert isinstance(result, UrlEvent | Rejected | Ignored)
    assert not isinstance(result, UrlEvent) or result.observed
