import random

import pytest

from trainer.generated.augmentation import TRANSFORMATIONS, augmented, transformed

URL = "shop.example.com/a/Login.php?x=1"


@pytest.mark.parametrize("name", ["host in capitals", "www.", "user name"])
def test_canonical_form_undoes_what_changes_nothing(name):
    assert transformed(name, URL, "url", random.Random(1)) == (
        URL if name != "www." else "shop.example.com/a/Login.php?x=1"
    )


def test_an_address_in_hex_is_the_same_address():
    assert (
        transformed("address in hex", "203.0.113.9:81/x", "url", random.Random(1))
        == "203.0.113.9:81/x"
    )


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("percent-encoding", "shop.example.com/", ""),
        ("ordinary name before the host", "", ".shop.example.com/a/Login.php?x=1"),
        ("ordinary path before the path", "shop.example.com/", "/a/Login.php?x=1"),
        ("padding past the cap", URL + "&session=", ""),
        ("homoglyph in the host", "", "/a/Login.php?x=1"),
    ],
)
def test_what_stays_is_changed_as_its_name_says(name, start, end):
    changed = transformed(name, URL, "url", random.Random(1))
    assert changed != URL
    assert changed.startswith(start)
    assert changed.endswith(end)


def test_a_homoglyph_makes_punycode():
    assert "xn--" in transformed("homoglyph in the host", URL, "url", random.Random(1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("www.", "203.0.113.9/x"),
        ("ordinary name before the host", "[2001:db8::1]/"),
        ("homoglyph in the host", "203.0.113.9/x"),
        ("address in hex", URL),
        ("percent-encoding", "example.com"),
    ],
)
def test_what_does_not_apply_is_none(name, text):
    assert transformed(name, text, "url", random.Random(1)) is None


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_every_result_is_canonical_and_follows_the_seed(name):
    first, again = (transformed(name, URL, "url", random.Random(7)) for _ in range(2))
    assert first == again


def test_a_host_name_takes_only_what_leaves_it_a_host_name():
    assert transformed("padding past the cap", "example.com", "host", random.Random(1)) is None
    assert transformed("www.", "example.com", "host", random.Random(1)) == "example.com"


def test_about_the_share_asked_for_is_changed_and_the_order_kept():
    texts = [f"site{number}.example/a/b?c={number}" for number in range(1000)]
    changed = augmented(texts, "url", share=0.5, rng=random.Random(1))
    differ = sum(one != other for one, other in zip(texts, changed, strict=True))
    # Some transformations are undone by the canonical form, or do not apply.
    assert 200 < differ < 400
    assert all(f"{number}" in text for number, text in enumerate(changed))
    assert augmented(texts, "url", share=0.0, rng=random.Random(1)) == texts
