"""Text to codes: the truncation rule, and both directions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.models.encoding import encode, shorten

ascii_texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=300)


def test_a_text_that_fits_stays_as_it_is():
    assert shorten("example.com/a", 13) == "example.com/a"


def test_of_a_long_host_the_end_is_kept():
    assert shorten("a" * 100 + ".evil.example", 20) == "a" * 7 + ".evil.example"


def test_of_a_long_path_both_ends_are_kept():
    short = shorten("evil.example/first/" + "x" * 500 + "/last.exe", 60)
    assert len(short) == 60
    assert short.startswith("evil.example/first/")
    assert short.endswith("/last.exe")


def test_a_long_host_leaves_room_for_the_path():
    short = shorten("h" * 200 + ".example/" + "p" * 200 + "/end", 60)
    assert ".example/ppp" in short
    assert short.endswith("/end")
    assert len(short) == 60


@given(ascii_texts, st.integers(12, 200))
def test_shortening_keeps_the_limit_and_the_end(text, length_max):
    short = shorten(text, length_max)
    assert len(short) == min(len(text), length_max)
    assert short[-1] == text[-1]
    assert shorten(short, length_max) == short


@given(st.lists(ascii_texts, min_size=1, max_size=5), st.integers(0, 3))
def test_each_column_holds_its_text_both_ways_and_nothing_else(texts, spare):
    steps = max(map(len, texts))
    columns = len(texts) + spare
    batch = encode(texts, steps=steps, columns=columns)
    assert batch.forward.shape == batch.backward.shape == (steps, columns)
    for column, text in enumerate(texts):
        codes = list(text.encode())
        padding = [0] * (steps - len(codes))
        assert batch.forward[:, column].tolist() == codes + padding
        assert batch.backward[:, column].tolist() == codes[::-1] + padding
        assert batch.lengths[column] == len(codes)
    assert not batch.forward[:, len(texts) :].any()
    assert np.all(batch.lengths[len(texts) :] == 1)
