"""A known secret is masked in every form in which a log line holds it."""

import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_detector.privacy.secret_spellings import KnownSecrets

PRINTABLE = st.characters(exclude_categories=["C", "Zl", "Zp"]).filter(str.isprintable)
PASSWORDS = st.text(PRINTABLE, min_size=4, max_size=30) | st.text(
    st.sampled_from("ab'\"\\/%+ é€😀"), min_size=4, max_size=12
)


def spellings(secret: str) -> list[str]:
    """The secret as programs write it, each alone."""
    utf_8 = secret.encode()
    escaped = [
        repr(secret)[1:-1],
        repr(f"{secret}'\"")[1:-4],
        ascii(secret)[1:-1],
        repr(utf_8)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", r"\/"),
    ]
    nested = [json.dumps(text)[1:-1] for text in escaped] + [repr(text)[1:-1] for text in escaped]
    encoded = [quote(secret), quote(secret, safe=""), quote_plus(secret)]
    encoded += [quote(text) for text in (*encoded, *escaped)]
    encoded += [re.sub("%..", lambda found: found[0].lower(), text) for text in encoded]
    return [secret, *escaped, *nested, *encoded]


@given(PASSWORDS)
@example(r"pa'ss\word")
@example("\\\\'\"")
@example("\\é'\\")
def test_no_spelling_of_a_password_is_left(password: str) -> None:
    secrets = KnownSecrets([password])
    for spelling in spellings(password):
        # A line break is in no password, and nothing on either side of it is part of a spelling.
        assert secrets.masked(f"\n{spelling}\n") == "\n***\n", spelling


@pytest.mark.parametrize("secret", ["one\ntwo\tthree\r\n", "back\\\nslash", "\udce9\udcff-raw"])
def test_a_secret_of_several_lines_is_known_too(secret: str) -> None:
    for text in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert KnownSecrets([secret]).masked(f"<{text}>") == "<***>"


def test_of_two_secrets_the_longer_one_goes_first() -> None:
    assert KnownSecrets(["hunter", "hunter2-long"]).masked("hunter2-long hunter") == "*** ***"


@pytest.mark.parametrize("secrets", [[], ["pa'ss\\word", "hunter2 long"]])
def test_other_text_stays(secrets: list[str]) -> None:
    text = r"hunter2 pa'ss word, a 'quoted' \\ path /a/b+c=d aHVudGVy 100%25 é"
    assert KnownSecrets(secrets).masked(text) == text


def test_a_long_line_takes_no_time_to_speak_of() -> None:
    secrets = KnownSecrets(["\\\\'x long", "'\\ '\\ '\\", "%%%% %25", "hunter2"])
    for piece in ("\\", "'\\ ", "%25", "%", "x27", "a", "/", "\\u0027"):
        secrets.masked(piece * (200_000 // len(piece)))  # hangs if it is quadratic
