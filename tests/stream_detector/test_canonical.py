"""The canonical form: one example or more for each rule."""

import csv
import gzip
import hashlib
import subprocess
import sys

import pytest

from stream_detector.canonical import (
    CANONICAL_FORM_VERSION,
    TEXT_LENGTH_MAX,
    canonical_host,
    canonical_url,
    canonicalise,
    kind_of,
    registered_domain,
)
from stream_detector.events import Canonical, Kind, Rejected, RejectReason
from stream_detector.settings.fields import DATA_FOLDER

KINDS: tuple[Kind, ...] = ("url", "host")

URLS = {
    # scheme
    "http://example.com/a": "example.com/a",
    "HTTPS://example.com/a": "example.com/a",
    "ftp://example.com/a": "example.com/a",
    "ws://example.com/a": "example.com/a",
    "wss://example.com/a": "example.com/a",
    "//example.com/a": "example.com/a",
    "example.com/a": "example.com/a",
    "http:example.com/a": "example.com/a",
    "http:/example.com/a": "example.com/a",
    "ht\ntp://example.com/a": "example.com/a",
    "example.com/?to=http://other.com/": "example.com/?to=http://other.com/",
    "example.com/http://other.com/": "example.com/http://other.com/",
    # host
    "http://EXAMPLE.com/Path?Query": "example.com/Path?Query",
    "http://EX%41MPLE.com/": "example.com",
    "http://example\u3002com/": "example.com",
    "http://www.example.com/": "example.com",
    "www.example.com": "example.com",
    "http://www.www.example.com/": "example.com",
    "http://www2.example.com/": "www2.example.com",
    "http://www.com/": "www.com",
    "http://www.co.uk/": "www.co.uk",
    "http://www.github.io/": "www.github.io",
    "http://www.localhost/": "www.localhost",
    "http://example.com./a": "example.com/a",
    "http://www.example.com.:8080/a": "example.com:8080/a",
    "http://*.example.com/a": "example.com/a",
    "http://*.www.example.com/": "example.com",
    # port
    "http://example.com:80/a": "example.com/a",
    "https://example.com:443/a": "example.com/a",
    "http://example.com:443/a": "example.com/a",
    "https://example.com:80/a": "example.com/a",
    "http://example.com:0080/a": "example.com/a",
    "http://example.com:/a": "example.com/a",
    "ftp://example.com:21/a": "example.com/a",
    "http://example.com:21/a": "example.com:21/a",
    "http://example.com:8080/": "example.com:8080",
    "example.com:8080": "example.com:8080",
    "example.com:443/a": "example.com/a",
    "wss://example.com:8443/a": "example.com:8443/a",
    # path and query
    "http://example.com": "example.com",
    "http://example.com/": "example.com",
    "http://example.com/a/": "example.com/a/",
    "http://example.com//a": "example.com//a",
    "http://example.com?a=1": "example.com/?a=1",
    "http://example.com/?": "example.com",
    "http://example.com/a?": "example.com/a",
    "http://example.com/a??": "example.com/a??",
    "http://example.com/a/./b/../c": "example.com/a/c",
    "http://example.com/%2e%2E/a": "example.com/a",
    "http://example.com/../../a": "example.com/a",
    "http://example.com/?a=../b": "example.com/?a=../b",
    "http:\\\\example.com\\a\\b?c\\d": "example.com/a/b?c\\d",
    "\\\\example.com\\a": "example.com/a",
    "http://example.com/a b?c d": "example.com/a%20b?c%20d",
    "http://example.com/\x01\x7f": "example.com/%01%7F",
    "http://example.com/a\tb\r\nc": "example.com/abc",
    "http://example.com/é?ü": "example.com/%C3%A9?%C3%BC",
    "http://example.com/\U0001f512": "example.com/%F0%9F%94%92",
    "http://example.com/\ud800": "example.com/%EF%BF%BD",
    "http://example.com/%41": "example.com/%41",
    "http://example.com/100%": "example.com/100%",
    "http://example.com/?a=1&amp;b=2": "example.com/?a=1&b=2",
    "http://example.com/?a=1&amp;amp;b=2": "example.com/?a=1&b=2",
    "http://example.com/a&amp;b": "example.com/a&b",
    # user name, fragment, edges
    "http://user@example.com/a": "example.com/a",
    "http://user:password@example.com/a": "example.com/a",
    "http://bank.com@example.com/": "example.com",
    "http://bank.com%2F@example.com/": "example.com",
    "user:password@example.com/a": "example.com/a",
    "http://example.com/a#part": "example.com/a",
    "http://example.com#part": "example.com",
    "http://example.com/a?b#c?d": "example.com/a?b",
    "\ufeff http://example.com/a \r\n\0": "example.com/a",
    # addresses
    "http://192.0.2.7/a": "192.0.2.7/a",
    "http://0300.0.2.7/": "192.0.2.7",
    "http://0xC0.0x0.0x2.0x7/": "192.0.2.7",
    "http://0xC0000207/": "192.0.2.7",
    "http://3221225991/": "192.0.2.7",
    "http://192.519/": "192.0.2.7",
    "http://１９２.０.２.７/": "192.0.2.7",
    "http://192.0.2.7./": "192.0.2.7",
    "192.0.2.7:8080": "192.0.2.7:8080",
    "http://[2001:DB8:0:0::0:1]/a": "[2001:db8::1]/a",
    "http://[2001:db8::1]:8080": "[2001:db8::1]:8080",
    # addresses of IPv6 that stand for one of IPv4
    "http://[::ffff:192.0.2.7]/": "192.0.2.7",
    "http://[::FFFF:c000:207]:8080/a": "192.0.2.7:8080/a",
    "http://[64:ff9b::192.0.2.7]/a": "192.0.2.7/a",
    "http://[2002:c000:207::1]/a": "192.0.2.7/a",
    "http://[2002:c000:207:1:2:3:4:5]/": "192.0.2.7",
    "http://[64:ff9b:1::c000:207]/": "[64:ff9b:1::c000:207]",
    "http://[::fffe:c000:207]/": "[::fffe:c000:207]",
    # names that are no valid punycode, and that programs fetch from all the same
    "http://xn--a.example.com/A?b": "xn--a.example.com/A?b",
    "https://user:word@XN--A.example.com:8443/xn--a": "xn--a.example.com:8443/xn--a",
    # international names
    "http://bücher.example/": "xn--bcher-kva.example",
    "http://BÜCHER.example/": "xn--bcher-kva.example",
    "http://xn--bcher-kva.example/": "xn--bcher-kva.example",
    "http://faß.example/": "xn--fa-hia.example",
    "http://пример.рф/": "xn--e1afmkfd.xn--p1ai",
}

HOSTS = {
    "::ffff:192.0.2.7": "192.0.2.7",
    "[64:ff9b::c000:207]": "192.0.2.7",
    "example.com": "example.com",
    "EXAMPLE.Com.": "example.com",
    "www.example.com": "example.com",
    "www.com": "www.com",
    "*.example.com": "example.com",
    "*.*.www.example.com": "example.com",
    "example.com:53": "example.com",
    "example.com:": "example.com",
    " example.com\n": "example.com",
    "localhost": "localhost",
    "_dmarc.example.com": "_dmarc.example.com",
    "-a.example.com": "-a.example.com",
    "xn--a.example.com": "xn--a.example.com",
    "bücher.example": "xn--bcher-kva.example",
    "192.0.2.7": "192.0.2.7",
    "192.0.2.7:443": "192.0.2.7",
    "0xC0.0.2.07": "192.0.2.7",
    "2001:DB8::1": "[2001:db8::1]",
    "[2001:db8::1]": "[2001:db8::1]",
    "[2001:db8::1]:443": "[2001:db8::1]",
}


@pytest.mark.parametrize(("text", "canonical"), URLS.items(), ids=map(ascii, URLS))
def test_a_url_has_this_form(text: str, canonical: str) -> None:
    assert accepted("url", text).text == canonical


@pytest.mark.parametrize(("text", "canonical"), HOSTS.items(), ids=map(ascii, HOSTS))
def test_a_host_has_this_form(text: str, canonical: str) -> None:
    form = accepted("host", text)
    assert (form.text, form.host) == (canonical, canonical)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "host", ["a" * 63 + ".com", "a." * 126 + "a", "a." * 126 + "a.", "x" * 253]
)
def test_a_name_as_long_as_dns_allows_is_accepted(kind: Kind, host: str) -> None:
    assert accepted(kind, host).host == host.removesuffix(".")


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("http://example.com/a", ()),
        ("http://user:password@example.com/", ("userinfo",)),
        ("http://example.com/#part", ("fragment",)),
        ("http://example.com/#", ()),
        ("http://example.com/?a&amp;b", ("escaped_ampersand",)),
        ("http://example.com/#a&amp;b", ("fragment",)),
        ("http://*.example.com/", ("wildcard",)),
        ("http://a.*.example.com/", ()),
        (
            "http://user@*.example.com/?a&amp;b#c",
            ("userinfo", "fragment", "escaped_ampersand", "wildcard"),
        ),
    ],
)
def test_dropped_and_undone_parts_are_noted(text: str, notes: tuple[str, ...]) -> None:
    assert accepted("url", text).notes == notes


def test_a_wildcard_host_is_noted() -> None:
    assert accepted("host", "*.example.com").notes == ("wildcard",)
    assert accepted("host", "example.com:53").notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,hello",
        "mailto:name@example.com",
        "file:///etc/passwd",
        "about:blank",
        "chrome://settings/",
        "hxxp://example.com/",
        "java\nscript:alert(1)",
        "http://",
        "http://?a",
        "http://exa mple.com/",
        "http://example.com:65536/",
        "http://example.com:port/",
        "http://a%00b.com/",
        "http://xn--a%.com/",
        "http://[2001:db8::1/",
        "http://[example.com]/",
        "http://256.0.0.1/",
        "http://192.0.2.7.1/",
        "http://a..com/",
        "http://.example.com/",
        "http://example.com../",
        "http://" + "a." * 127 + "a/",
    ],
)
def test_a_url_without_a_network_host_is_refused(text: str) -> None:
    assert refused("url", text) is RejectReason.INVALID_URL


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com",
        "example.com/a",
        "example.com:80/a",
        "example.com?a",
        "example.com#a",
        "user@example.com",
        "example com",
        "example.com:999999",
        "[2001:db8::1",
        "2001:db8::1::2",
        "256.0.0.1",
        "a..com",
        ".example.com",
        ".",
        "\ud800.example.com",
        "a." * 127 + "a",
    ],
)
def test_a_text_that_is_not_a_host_name_is_refused(text: str) -> None:
    assert refused("host", text) is RejectReason.INVALID_HOST


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\0", "\ufeff"])
def test_nothing_is_refused_as_empty(kind: Kind, text: str) -> None:
    assert refused(kind, text) is RejectReason.EMPTY


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_is_too_long_is_refused(kind: Kind) -> None:
    assert refused(kind, "a" * (TEXT_LENGTH_MAX + 1)) is RejectReason.TOO_LONG
    assert refused(kind, "a" * TEXT_LENGTH_MAX) is not RejectReason.TOO_LONG


def test_a_text_whose_canonical_form_is_too_long_is_refused() -> None:
    url = "example.com/" + "é" * ((TEXT_LENGTH_MAX - 12) // 6)
    assert TEXT_LENGTH_MAX - 6 < len(accepted("url", url).text) <= TEXT_LENGTH_MAX
    assert refused("url", url + "é") is RejectReason.TOO_LONG


def test_the_longest_url_is_accepted() -> None:
    url = "example.com/".ljust(TEXT_LENGTH_MAX, "a")
    assert accepted("url", url).text == url


def test_a_refusal_quotes_none_of_a_long_input() -> None:
    for kind in KINDS:
        for text in ("secret " * 9_000, "http://secret secret/" + "x" * 60_000):
            rejected = canonicalise(kind, text)
            assert isinstance(rejected, Rejected)
            assert len(rejected.detail) < 100
            assert "secret" not in rejected.detail


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("a.b.github.io", "b.github.io"),
        ("b.github.io", "b.github.io"),
        ("a.b.c.kawasaki.jp", "b.c.kawasaki.jp"),
        ("a.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.b.xn--p1ai", "b.xn--p1ai"),
        ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
        ("a.b.no-such-suffix", "b.no-such-suffix"),
        ("com", "com"),
        ("co.uk", "co.uk"),
        ("github.io", "github.io"),
        ("localhost", "localhost"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_registered_domains(host: str, domain: str) -> None:
    assert registered_domain(host) == domain
    assert accepted("host", host).registered_domain == domain
    assert accepted("url", f"http://{host}:8080/a").registered_domain == domain


OFFLINE = """
import sys
def watch(event, arguments):
    if event.startswith("socket."):
        raise AssertionError(event)
sys.addaudithook(watch)
import stream_detector.canonical as canonical
assert canonical.registered_domain("a.b.github.io") == "b.github.io"
assert canonical.canonical_url("http://bücher.example/").text == "xn--bcher-kva.example"
"""


def test_the_public_suffixes_are_known_without_a_network() -> None:
    subprocess.run([sys.executable, "-c", OFFLINE], check=True, timeout=60)
    # The same watch sees a socket where there is one.
    opened = subprocess.run(
        [sys.executable, "-c", f"{OFFLINE}\nimport socket; socket.socket()"],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert b"AssertionError: socket." in opened.stderr


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("example.com", "host"),
        (" example.com.\r\n", "host"),
        ("*.example.com", "host"),
        ("192.0.2.7", "host"),
        ("2001:db8::1", "host"),
        ("::ffff:192.0.2.7", "host"),
        ("[2001:db8::1]", "host"),
        ("bücher.example", "host"),
        ("http://example.com", "url"),
        ("//example.com", "url"),
        ("example.com:8080", "url"),
        ("[2001:db8::1]:8080", "url"),
        ("example.com/", "url"),
        ("example.com?a", "url"),
        ("example.com#a", "url"),
        ("user@example.com", "url"),
        ("example.com\\a", "url"),
        ("javascript:alert(1)", "url"),
    ],
)
def test_whether_a_text_is_a_url_or_a_host(text: str, kind: Kind) -> None:
    assert kind_of(text) == kind


def accepted(kind: Kind, text: str) -> Canonical:
    form = canonical_url(text) if kind == "url" else canonical_host(text)
    assert isinstance(form, Canonical), form
    assert form.kind == kind
    return form


def refused(kind: Kind, text: str) -> RejectReason:
    form = canonical_url(text) if kind == "url" else canonical_host(text)
    assert isinstance(form, Rejected), form
    return form.reason


def test_forms_of_ordinary_texts_are_those_that_the_models_were_trained_on() -> None:
    """Any other digest asks for another ``CANONICAL_FORM_VERSION``, and for models trained anew."""
    with gzip.open(DATA_FOLDER / "labelled" / "urls.csv.gz", "rt", encoding="utf-8") as file:
        texts = [row["url"] for row in csv.DictReader(file)]
    lines = (DATA_FOLDER / "samples" / "urls.txt").read_text(encoding="utf-8", errors="replace")
    digest = hashlib.sha256()
    for text in [*texts, *lines.split("\n")]:
        form = canonicalise(kind_of(text), text)
        written = form.text if isinstance(form, Canonical) else form.reason
        digest.update(f"{written}\n".encode())
    assert CANONICAL_FORM_VERSION == 1
    assert digest.hexdigest() == "f40ec84dbf83d65d11b5af759c5a7ea8a26d882fc2b739d728f27c9638abcff4"
