"""Four times as much of a hostile text takes about four times as long, whoever reads it."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from stream_detector.canonical import canonical_host, canonical_url, kind_of
from stream_detector.errors import RefusedModelError, SettingsError, StreamDetectorError
from stream_detector.events import Canonical
from stream_detector.logs.redaction import Redaction
from stream_detector.models.announcement import decode_announcement
from stream_detector.policy.lists import HostList
from stream_detector.privacy.letter_bytes import before_query, without_credentials
from stream_detector.privacy.lines import line_without_secrets
from stream_detector.privacy.secret_spellings import KnownSecrets
from stream_detector.privacy.urls import (
    is_query_masked,
    observed_without_credentials,
    with_query_masked,
    without_nested_credentials,
)
from stream_detector.settings.fields import Settings
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import SOURCES
from stream_detector.sources.times import to_time
from stream_detector.terminal.printable import printable, printable_bytes
from stream_detector.wire.dead_letters import StoredLetter, Tally, letter_document
from stream_detector.wire.labels import read_label
from support.private_records import FORMATS

SMALL, LARGE = 16_384, 65_536
GROWTH_MAX = 5.0
"""A linear function takes four times as long, a quadratic one sixteen times."""
NOISE_SECONDS = 0.004
TRIES = 6

PIECES = [
    *"a1-. /:@?#&=%\\\"'[{,~é",
    *(
        "//",
        "://",
        ":@/",
        "://u:p@",
        "u:p@",
        "=a",
        "=a:",
        "=@",
        "a.",
        "a/",
        "/a",
        "../",
        "a@",
        "?a",
    ),
    *("%25", "%40", "%2540", "%2f", "%3a", "%3A%2F%2F", "%253A%252F%252F", "%3A%40%2F", "%4\n0"),
    *("\\x40", "\\u0040", "\\/", '\\"', "\\\\", '"a', '"@', "'a\"", "[]", "{}", '{"a":', "\n:@"),
    *("www.", "*.", "xn--a.", "&amp;", "0x1.", "1.1.1.1/", ",a://", ",GET,", "acct:", "a:b "),
    *(
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\u202e",
        "a\n",
        "#a\n",
        " #",
        "#fields\t",
        "#fields\tts\n",
        "#path\tdns\n#fields\tts\n",
        "'\"",
        "a?b#c ",
    ),
    *("password", "password: ", "password='\\", "token=", "--a", "cookie:", "bearer ", "basic "),
    *(
        "dnsmasq: ",
        "dnsmasq[1]: ",
        "dnsmasq - a [",
        " query[a] b from c",
        "query[A]",
        "/a dnsmasq: ",
    ),
    *("HIER_A/", " HIER_NONE/- ", "TCP_MISS/200 ", "GET http://a ", "1.1\t", "2026-11-01T"),
]


def texts(begin: str = "http://h.com/") -> Iterator[tuple[str, Callable[[int], str]]]:
    """Shapes by name: of how many characters, the text."""

    def text(size: int, start: str, piece: str, end: str) -> str:
        return start + piece * ((size - len(start) - len(end)) // len(piece)) + end

    for piece in PIECES:
        for start, end in (("", " ?"), (begin, "@x")):
            yield (
                f"{start!r} {piece!r}... {end!r}",
                partial(text, start=start, piece=piece, end=end),
            )


def seconds(function: Callable[[str], object], text: str) -> float:
    started = time.thread_time()
    function(text)
    return time.thread_time() - started


def is_linear(function: Callable[[str], object], text: Callable[[int], str]) -> bool:
    """Whether time grows as length does, by the best of a few runs: others use the machine too."""
    small, large = text(SMALL), text(LARGE)
    best_small = best_large = float("inf")
    for _ in range(TRIES):
        best_large = min(best_large, seconds(function, large))
        if best_large <= NOISE_SECONDS:
            return True
        best_small = min(best_small, seconds(function, small))
        if best_large <= GROWTH_MAX * best_small + NOISE_SECONDS:
            return True
    return False


def assert_linear(function: Callable[[str], object], begin: str = "http://h.com/") -> None:
    assert not [name for name, text in texts(begin) if not is_linear(function, text)]


# --- what reads hostile texts -----------------------------------------------------------------


def masked_observed(text: str) -> object:
    canonical = Canonical("url", "h.com/", "h.com", "h.com", ("userinfo",))
    return observed_without_credentials(text, canonical)


def told_letter(text: str) -> object:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    value = text.encode()
    letter = StoredLetter(
        0, 0, now, "malformed", text, "", None, None, "", (), False, "", value, value
    )
    Tally().add(letter)
    return letter_document(letter)


def announced(text: str) -> None:
    value = {"name": text, "kind": "url", "version": text, "sha256": "0" * 64, "url": text}
    value |= {"thresholds": {"suspicious": 0.5, "malicious": 0.9}}
    value |= {"announced_at": "2026-11-01T00:00:00Z"}
    for record in (json.dumps(value), json.dumps(value | {"url": ""}), text):
        with contextlib.suppress(RefusedModelError):
            decode_announcement(b"url", record.encode())


def labelled(text: str) -> object:
    parts = {"url": text, "label": "benign", "labeled_at": "2026-11-01T00:00:00Z"}
    read_label(json.dumps(parts | {"source": "soc", "analyst": "kim"}).encode())
    return read_label(text.encode())


SECRETS = KnownSecrets(["\\\\'x long", "pa'ss/wörd+ %", "hunter2"])
REDACTION = Redaction(Settings(sasl_password="pa'ss/wörd"))


TEXT_READERS: dict[str, Callable[[str], object]] = {
    "canonical_url": canonical_url,
    "canonical_host": canonical_host,
    "kind_of": kind_of,
    "masked_observed": masked_observed,
    "without_nested_credentials": without_nested_credentials,
    "with_query_masked": with_query_masked,
    "is_query_masked": is_query_masked,
    "without_credentials": lambda text: without_credentials(text.encode()),
    "before_query": lambda text: before_query(text.encode()),
    "told_letter": told_letter,
    "line_without_secrets": partial(line_without_secrets, with_queries=False),
    "known_secrets": SECRETS.masked,
    "printable": printable,
    "printable_bytes": lambda text: printable_bytes(text.encode(), characters_max=100_000),
    "time": to_time,
    "announcement": announced,
    "label": labelled,
}


@pytest.mark.parametrize("name", TEXT_READERS)
def test_time_grows_with_the_length_of_a_text(name: str) -> None:
    assert_linear(TEXT_READERS[name])


@pytest.mark.parametrize("name", FORMATS)
def test_time_grows_with_the_length_of_a_url_in_a_record(name: str) -> None:
    def read(text: str) -> object:
        return read_record(FORMATS[name](text), source=None, lines_max=100_000)

    assert_linear(read, "h.com/")


@pytest.mark.parametrize(
    "piece", ["dnsmasq: ", "dnsmasq - a [", "dnsmasq - a [] ", "dnsmasq[1]: x"]
)
def test_time_grows_with_the_words_before_a_query(piece: str) -> None:
    def text(size: int) -> str:
        return f"x query[a] y {piece * (size // len(piece))} query[a] b from c d"

    assert is_linear(lambda line: SOURCES["dnsmasq"].parse(line.encode()), text)


BEGINNINGS = {
    "zeek_dns": "1795165220.6\tC1\t1.1.1.1\t1\t1.1.1.2\t53\tudp\t1\t0.1\t",
    "zeek_http": "1795165220.6\tC1\t1.1.1.1\t1\t1.1.1.2\t80\t1\tGET\th.com\t",
    "squid": "1066036250.603 250 1.1.1.1 TCP_MISS/200 1024 GET http://h.com/",
    "dnsmasq": "Nov 20 09:00:13 dnsmasq[811]: ",
}


@pytest.mark.parametrize("name", [*SOURCES, None])
def test_time_grows_with_the_length_of_a_line(name: str | None) -> None:
    source = SOURCES[name] if name else None

    def read(text: str) -> object:
        value = text.encode()
        if source:
            source.recognises(value)
        return read_record(value, source=source, lines_max=100_000)

    assert_linear(read, BEGINNINGS.get(name or "", "http://h.com/"))


def test_time_grows_with_the_lengths_of_the_list_and_of_the_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "list"
    path.write_text("h.com/a/a/a\nh.com/?q\nother.com\n192.0.2.0/24\n")
    listed = HostList.load(path)

    def look_up(text: str) -> object:
        return listed.specificity(Canonical("url", text, "h.com", "h.com"))

    def load(text: str) -> object:
        path.write_text(text, errors="surrogatepass")
        try:
            return HostList.load(path)
        except StreamDetectorError as error:
            return error

    assert_linear(look_up, "h.com/")
    assert_linear(load)


def test_a_log_line_quotes_no_text_without_bound() -> None:
    text = "a" * 60_000 + " ?"
    shown = REDACTION.text(text)
    assert len(shown) < 30_000
    assert shown.endswith("(60002 characters)")
    assert REDACTION.fields({"name": text})["name"] == shown


@pytest.mark.parametrize("before", range(32_740, 32_780, 3))
def test_a_cut_leaves_no_half_of_a_secret(before: int) -> None:
    assert "pa'" not in REDACTION.text("a" * before + "pa'ss/wörd" + "b" * 9_000)
    assert "secret" not in REDACTION.text("a" * before + " http://user:secretpw@h.com/ " * 2_000)


def test_a_list_with_a_line_of_a_megabyte_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("a." * 500_000)
    with pytest.raises(SettingsError, match="line 1"):
        HostList.load(path)
