"""URLs inside URLs: all the ways in which redirectors write them, and texts that only look so."""

from base64 import b64encode, urlsafe_b64encode
from time import perf_counter
from timeit import repeat
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.canonical import canonical_url
from stream_detector.events import Canonical
from stream_detector.limits import NESTED_CHARACTERS_MAX
from stream_detector.nested_urls import NESTED_URLS_MAX, nested_urls

TARGET = "https://login.bank-check.example.com/sign/in?id=7&x=1"
INSIDE = "login.bank-check.example.com/sign/in?id=7&x=1"
UP_TO_AMPERSAND = INSIDE.partition("&")[0]
WITHOUT_QUERY = INSIDE.partition("?")[0]


def canonical(url: str) -> Canonical:
    form = canonical_url(url)
    assert isinstance(form, Canonical), form
    return form


def found(url: str) -> list[tuple[str, bool]]:
    """Texts, and whether they are in the query."""
    return [(nested.canonical.text, nested.in_query) for nested in nested_urls(canonical(url))]


def texts(url: str) -> list[str]:
    return [text for text, _ in found(url)]


def percent(text: str, times: int = 1) -> str:
    for _ in range(times):
        text = quote(text, safe="")
    return text


def base64(text: str, times: int = 1) -> str:
    for _ in range(times):
        text = urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return text


ALL_ENCODED = "".join(f"%{ord(character):02X}" for character in TARGET)

IN_A_QUERY = {
    "percent": (f"google.com/url?sa=t&q={percent(TARGET)}&usg=A", INSIDE),
    "lower case": (f"l.site.example.com/l.php?u={percent(TARGET).replace('%2F', '%2f')}", INSIDE),
    "twice": (f"out.example.net/r?redirect={percent(TARGET, 2)}&k=1", INSIDE),
    "half encoded": (f"out.example.net/r?to={quote(TARGET, safe=':/')}", INSIDE),
    "every letter": (f"google.com/url?q={ALL_ENCODED}", INSIDE),
    "plain": (f"out.example.net/r?redirect={TARGET}", UP_TO_AMPERSAND),
    "the whole query": (f"hide.example.net/?{TARGET}", INSIDE),
    "any name": (f"out.example.net/r?zz={percent(TARGET)}", INSIDE),
    "within a word": (f"cache.example.net/search?q=cache:x1:{percent(TARGET)}", INSIDE),
    "link protection": (
        f"eu.safelinks.example.org/?url={percent(TARGET)}&data=05%7C01%7C%7C&sdata=ab%2Bc%3D",
        INSIDE,
    ),
    "backslashes": (rf"out.example.net/r?u=https:\\{INSIDE}", UP_TO_AMPERSAND),
    "one slash": (f"out.example.net/r?u=https:/{INSIDE}", UP_TO_AMPERSAND),
    "user name": ("out.example.net/?u=http%3A%2F%2Fa%3Ab%40bad.example.com%2F", "bad.example.com"),
    "address": ("out.example.net/?u=http%3A%2F%2F198.51.100.7%2Fgate", "198.51.100.7/gate"),
    "proofpoint 2": (
        "urldefense.proofpoint.com/v2/url?u=https-3A__login.bank-2Dcheck.example.com_sign_in&d=Dw",
        WITHOUT_QUERY,
    ),
    "base64": (f"out.example.net/r?x={base64(TARGET)}&y=1", INSIDE),
    "base64 twice": (f"out.example.net/r?x={base64(TARGET, 2)}", INSIDE),
    "percent in base64": (f"out.example.net/r?x={base64(percent(TARGET))}", INSIDE),
    "base64 with padding": (
        f"out.example.net/r?x={percent(b64encode(TARGET.encode() + b'??').decode())}",
        f"{INSIDE}??",
    ),
    "base64 behind letters": (f"search.example.net/ck/a?!&&p=1&u=a1{base64(TARGET)}&n=1", INSIDE),
    "base64, one byte before": (f"out.example.net/r?x={base64(f'>{TARGET}')}", INSIDE),
    "base64, two bytes before": (f"out.example.net/r?x={base64(f'>>{TARGET}')}", INSIDE),
    "json in base64": (
        "click.example.net/track/1/x?p="
        + base64(
            '{"s":"aB","p":"{\\"u\\":1,\\"url\\":\\"https:\\\\/\\\\/bad.example.com\\\\/a\\"}"}'
        ),
        "bad.example.com/a",
    ),
    "no scheme": ("out.example.net/r?redirect_url=bad.example.com/a&b=1", "bad.example.com/a"),
    "no scheme, encoded": ("out.example.net/r?next=bad.example.com%2Fa%3Fb", "bad.example.com/a?b"),
    "no scheme, twice": ("out.example.net/r?u=bad.example.com%252Fa", "bad.example.com/a"),
    "only slashes": ("out.example.net/r?u=%2F%2Fbad.example.com", "bad.example.com"),
    "bare name": ("out.example.net/r?x=1&goto=bad.example.com", "bad.example.com"),
}
IN_A_PATH = {
    "plain": (f"web.archive.example.org/web/20260101/{TARGET}", INSIDE),
    "percent": (f"x.awstrack.example.net/L0/{percent(TARGET)}/1/01-ab/cd=42", INSIDE),
    "slashes only": (
        "x.awstrack.example.net/L0/https:%2F%2Fbad.example.com%2Fa/1/01-ab",
        "bad.example.com/a",
    ),
    "twice": (f"out.example.net/go/{percent(TARGET, 2)}/1?a=b", INSIDE),
    "behind a name": (f"r.search.example.net/_yl=A/RU={percent(TARGET)}/RK=2/RS=x-", INSIDE),
    "base64": (f"click.example.net/{base64(TARGET)}/sig", INSIDE),
    "proofpoint 3": (f"urldefense.com/v3/__{TARGET}__;Kys!!AbC!dEf$", INSIDE),
    "amp": (f"google.co.uk/amp/s/{INSIDE}", INSIDE),
    "amp without tls": (f"google.com/amp/{INSIDE}", INSIDE),
    "amp cache": (f"login-bank.cdn.ampproject.org/c/s/{INSIDE}", INSIDE),
    "translation": (
        "login-bank--check-example-com.translate.goog/sign/in?id=7&_x_tr_sl=auto&_x_tr_tl=en",
        "login.bank-check.example.com/sign/in?id=7",
    ),
    "translated root": ("bank--check-com.translate.goog/", "bank-check.com"),
}


@pytest.mark.parametrize("name", IN_A_QUERY)
def test_a_url_in_a_query_is_found(name: str) -> None:
    url, inside = IN_A_QUERY[name]
    assert found(url) == [(inside, True)]


@pytest.mark.parametrize("name", IN_A_PATH)
def test_a_url_in_a_path_is_found(name: str) -> None:
    url, inside = IN_A_PATH[name]
    assert found(url) == [(inside, False)]


def test_each_hop_of_a_chain_is_found() -> None:
    hop = f"https://google.com/url?q={percent(TARGET)}&sa=D"
    assert texts(f"out.example.net/?u={percent(hop)}") == [canonical(hop).text, INSIDE]
    assert INSIDE in texts(f"out.example.net/?u={base64(hop)}")
    wrapped = f"https://google.com/amp/s/{INSIDE}"
    assert texts(f"out.example.net/?u={percent(wrapped)}") == [canonical(wrapped).text, INSIDE]


def test_parameters_named_after_targets_come_first() -> None:
    decoys = "&".join(f"a{n}=http://d{n}.example.com" for n in range(20))
    assert texts(f"out.example.net/?{decoys}&url={percent(TARGET)}")[0] == INSIDE
    assert len(texts(f"out.example.net/?{decoys}")) == NESTED_URLS_MAX


def test_a_url_counts_once_and_not_in_itself() -> None:
    assert texts(f"out.example.net/?u={percent(TARGET)}&url={percent(TARGET)}") == [INSIDE]
    # Canonical texts are compared: these differ in the scheme alone.
    assert texts("google.com/amp/s/google.com/amp/s") == ["google.com/amp/s"]


ORDINARY = [
    "example.com",
    "example.com/",
    "example.com:8080/a/b?c=d",
    "example.com/assets/app.3f2a9b.min.js?v=1.2.3",
    "example.com/lib/v1.2.3-rc.1/index.html",
    "example.com/docs/example.org/manual.pdf",
    "example.com/search?q=example.org",
    "example.com/search?q=what+is+http%3A+and+https%3A",
    "example.com/a?utm_source=news.example.org&utm_medium=mail",
    "example.com/a?utm_source=https%3A%2F%2Fnews.example.org%2F",
    "example.com/a?domain=example.org&site=example.net&host=www.example.org",
    "example.com/a?time=2026-01-02T03%3A04%3A05Z&range=1%3A2",
    "example.com/a?next=setup.sh&link=main.py&url=archive.zip&u=notes.md",
    "example.com/a?url=index.html&redirect=/account/home.do&next=%2Fsettings%2Fa.b",
    "example.com/a?to=jo.doe@example.org&u=jo%40example.org&link=mailto:jo@example.org",
    "example.com/a?u=1.2.3&url=v2.10&go=3.14",
    "example.com/a?redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fback",
    "example.com/a?cb=https%3A%2F%2F%7Bhost%7D%2Fback&u=http%3A%2F%2Fintranet%2Fx",
    "example.com/a?u=https%3A%2F%2F&v=http://&w=https://?",
    "example.com/font?family=Open+Sans:400,700|Roboto:wght@300",
    "example.com/~user/https/http/url",
    "example.com/a?token=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCd%3D%3D",
    f"example.com/a?state={base64('session=81f2;user=jo;next=/home')}",
    f"example.com/a/{base64('0123456789' * 12)}.png",
    "example.com/a?data=" + base64('{"theme":"dark","lang":"en","ids":[1,2,3]}'),
    "example.com/a?id_token={}.{}.{}".format(
        base64('{"alg":"RS256","typ":"JWT"}'),
        base64('{"iss":"https://sign-in.example.org/v2","aud":"x"}'),
        base64("signature"),
    ),
    "example.com/a?x=aHR0c&y=h0dH&z=odHRw&w=aHR0cHM6Ly8",
    "example.com/amp/story/12",
    "example.com/amp/s/example.org/a",
    "google.com/amp/s/",
    "translate.goog/x",
    "urldefense.com/v3/__",
    "example.com/__init__/a__b?c__d=e-3A__f",
]


@pytest.mark.parametrize("url", ORDINARY)
def test_nothing_is_found_in_an_ordinary_url(url: str) -> None:
    assert texts(url) == []


@pytest.mark.parametrize(
    "url",
    [
        "example.com/assets/app.3f2a9b.min.js",
        "shop.example.com/search?q=red+shoes&page=2&sort=price",
        "api.example.com/v1/session?token=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    ],
)
def test_an_ordinary_url_takes_little_time(url: str) -> None:
    outer = canonical(url)
    seconds = min(repeat(lambda: nested_urls(outer), number=1000, repeat=20)) / 1000
    assert seconds < 5e-6  # A busy core; on a free one it is under 1 us.


def test_a_long_url_is_cut() -> None:
    (text,) = texts(f"out.example.net/?u={percent(TARGET)}{'x' * 3 * NESTED_CHARACTERS_MAX}")
    assert text.startswith(INSIDE)
    assert len(text) <= NESTED_CHARACTERS_MAX


PIECES = (
    "http https aHR0cHM6Ly h0dH odHRw eyJ : %3A %253a / %2F %252f ? & = url= redirect= utm_ a.com "
    "bad.example.com @ %40 % %25 %68 . __ -3A__ \\ amp /amp/s/ .translate.goog xn-- é \0"
)
pieces = st.sampled_from(PIECES.split(" "))
starts = st.sampled_from(
    [
        "http://a.com/",
        "http://google.com/amp/s/",
        "http://a-b.translate.goog/?",
        "http://a.com/?url=",
    ]
)


@given(starts, st.lists(pieces | st.text(max_size=8), max_size=40).map("".join))
def test_whatever_is_inside_few_canonical_urls_are_found(start: str, rest: str) -> None:
    outer = canonical_url(start + rest)
    if not isinstance(outer, Canonical):
        return
    inside = [nested.canonical for nested in nested_urls(outer)]
    assert len(inside) <= NESTED_URLS_MAX
    assert len({each.text for each in inside} | {outer.text}) == len(inside) + 1
    for each in inside:
        again = canonical_url(each.text)
        assert isinstance(again, Canonical)
        assert again.text == each.text


REPEATED = (
    "http:// http%3A%2F%2F https%253A%252F%252Fa.com aHR0cHM6Ly9h YUhSM h0dH eyJ eyJa. -3A__ "
    "https-3A__ &url=a. ?u=a.com/ & %68 amp/s/ a."
)


@pytest.mark.parametrize("piece", REPEATED.split())
def test_the_time_is_linear(piece: str) -> None:
    outer = canonical("http://google.com/?" + piece * (60_000 // len(piece)))
    started = perf_counter()
    nested_urls(outer)
    # 30 times what it takes; what is quadratic takes seconds.
    assert perf_counter() - started < 0.5
