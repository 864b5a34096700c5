import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.privacy.pseudonyms import Pseudonyms, is_pseudonym
from stream_detector.settings.fields import Settings

KEY = b"0123456789abcdef"


def test_it_is_the_start_of_an_hmac_of_the_client() -> None:
    expected = hmac.new(KEY, b"10.0.0.1", hashlib.sha256).hexdigest()[:20]
    assert Pseudonyms(KEY).of("10.0.0.1") == f"p-{expected}"


@given(st.text(), st.text())
def test_the_same_client_has_the_same_in_every_worker_and_another_client_another(
    client: str, other: str
) -> None:
    here, there = Pseudonyms(KEY), Pseudonyms(KEY)
    assert here.of(client) == there.of(client)
    assert is_pseudonym(here.of(client))
    if client.strip().lower() != other.strip().lower():
        assert here.of(client) != here.of(other)


def test_another_key_gives_another() -> None:
    assert Pseudonyms(KEY).of("a") != Pseudonyms(KEY + b"x").of("a")


@pytest.mark.parametrize(
    ("client", "other"),
    [
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[::1]", "::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("[::FFFF:0a01:203]", "10.1.2.3"),
        ("Laptop-7.corp", "laptop-7.CORP"),
    ],
)
def test_a_client_is_one_however_it_is_spelled(client: str, other: str) -> None:
    assert Pseudonyms(KEY).of(client) == Pseudonyms(KEY).of(other)


def test_half_a_surrogate_pair_has_one_too() -> None:
    assert is_pseudonym(Pseudonyms(KEY).of("\ud800"))


def test_the_key_comes_from_a_file_without_its_line_end(tmp_path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    assert Settings(client_key_file=file).client_key_bytes() == KEY
    assert Settings(client_key=KEY.decode()).client_key_bytes() == KEY
    assert Settings().client_key_bytes() == b""
