"""The canonical form: what holds for any text at all."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_detector.canonical import TEXT_LENGTH_MAX, canonicalise, kind_of
from stream_detector.events import Canonical, Kind, Rejected

KINDS: tuple[Kind, ...] = ("url", "host")

WORDS = """
http https ftp ws wss HTTP javascript data : :// // / \\ . .. ./ ../ @ # ? & &amp; amp; = %
%2e %2F %00 %41 www www. *. * example com co.uk github.io xn-- xn--p1ai xn--bcher-kva ü 。 ß １
0x7f 0177 127 1 256 80 443 8080 65536 [ ] [::1] ::1 [2001:db8::1] - _ ~ ; , | ^ ` { }
"""
WHITE_SPACE = [" ", "\t", "\n", "\0", "\x7f", "\xa0", "\ufeff", "\u200b", "\ud800", "\udfff"]
PIECES = st.sampled_from(WORDS.split() + WHITE_SPACE)
CHARACTERS = st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"])
"""Named, since by default Hypothesis draws no surrogates."""

URL_LIKE = st.lists(PIECES, max_size=12).map("".join)
LONG_TEXT = st.builds(
    lambda start, piece, length: (start + piece * length)[:length],
    URL_LIKE,
    st.text(CHARACTERS, min_size=1, max_size=4) | PIECES,
    st.integers(1, TEXT_LENGTH_MAX),
)
TEXTS = URL_LIKE | st.text(CHARACTERS, max_size=300) | LONG_TEXT


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(KINDS), TEXTS)
@example("url", "*.*.example.com")
@example("url", "http://http//")
@example("url", "http://http:8080//")
@example("url", "http://javascript/:x@y")
@example("url", "http://a/&amp;amp;#&amp;")
@example("host", "www.*.example.com")
def test_any_text_is_refused_or_has_a_form_that_keeps_its_promises(kind: Kind, text: str) -> None:
    form = canonicalise(kind, text)
    if isinstance(form, Rejected):
        assert form.detail
        return
    assert form.kind == kind
    assert all(" " < character <= "~" for character in form.text)
    assert 0 < len(form.text) <= TEXT_LENGTH_MAX
    assert form.text.startswith(form.host)
    assert form.text == form.host or kind == "url"
    assert f".{form.host}".endswith(f".{form.registered_domain}")
    again = canonicalise(kind, form.text)
    assert isinstance(again, Canonical)
    assert (again.text, again.host) == (form.text, form.host)
    assert again.registered_domain == form.registered_domain


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_the_kind_of_any_text_is_one_of_the_two(text: str) -> None:
    assert kind_of(text) in KINDS


# Under .example nobody keeps a public suffix, so that www. may always go.
HOST_NAMES = st.lists(st.text("abcxyz019-_", min_size=1, max_size=10), min_size=1, max_size=4).map(
    lambda labels: ".".join([*labels, "example"])
)


@settings(deadline=None, max_examples=300)
@given(HOST_NAMES, st.from_regex(r"[a-z0-9/=&]{0,20}", fullmatch=True))
def test_the_spelling_makes_no_difference(host: str, rest: str) -> None:
    expected = accepted("url", f"{host}/{rest}")
    for spelling in (
        f"http://{host}/{rest}",
        f"HTTPS://{host.upper()}:443/{rest}",
        f"//www.{host}.:80/{rest}",
        f" ftp:\\\\user:password@{host}:21/./{rest}#part ",
        f"http://*.{host}/a/../{rest}",
    ):
        assert accepted("url", spelling).text == expected.text
    assert accepted("host", host).host == expected.host


def accepted(kind: Kind, text: str) -> Canonical:
    form = canonicalise(kind, text)
    assert isinstance(form, Canonical), form
    return form
