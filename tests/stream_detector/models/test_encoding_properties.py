"""What shortening keeps of any text, and what encoding does at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.models.encoding import encode, shorten

hosts = st.text("abc-.", min_size=1, max_size=300)
rests = st.builds(str.__add__, st.sampled_from("/?"), st.text("xyz/?=&", max_size=400))


@given(hosts, rests, st.integers(12, 200))
def test_the_hosts_end_and_both_ends_of_the_rest_are_kept(host, rest, length_max):
    short = shorten(host + rest, length_max)
    assert len(short) == min(len(host + rest), length_max)
    mark = min(place for place in (short.find("/"), short.find("?")) if place >= 0)
    kept_host, kept_rest = short[:mark], short[mark:]
    assert host.endswith(kept_host)
    assert len(kept_host) >= min(len(host), length_max // 3)
    if kept_rest != rest:
        head = len(kept_rest) - len(kept_rest) // 3
        assert kept_rest[:head] == rest[:head]
        assert kept_rest[head:] == rest[len(rest) - len(kept_rest) + head :]


@pytest.mark.parametrize("mark", ["/", "?"])
def test_each_part_has_its_share_of_the_length(mark):
    short = shorten("h" * 90 + mark + "p" * 90 + "q" * 90, 60)
    assert short == "h" * 20 + mark + "p" * 26 + "q" * 13


def test_what_a_short_rest_leaves_goes_to_the_host():
    assert shorten("h" * 90 + "/end", 60) == "h" * 56 + "/end"


@given(hosts, st.integers(1, 200))
def test_a_host_alone_keeps_its_end(host, length_max):
    assert shorten(host, length_max) == host[-length_max:]


def test_no_texts_are_all_padding():
    batch = encode([], steps=3, columns=2)
    assert batch.forward.shape == batch.backward.shape == (3, 2)
    assert not batch.forward.any()
    assert not batch.backward.any()
    assert batch.lengths.tolist() == [1, 1]


def test_an_empty_text_takes_nothing_of_its_neighbours():
    batch = encode(["", "ab", ""], steps=3, columns=3)
    assert batch.forward.T.tolist() == [[0, 0, 0], [97, 98, 0], [0, 0, 0]]
    assert batch.backward.T.tolist() == [[0, 0, 0], [98, 97, 0], [0, 0, 0]]
    assert batch.lengths.tolist() == [1, 2, 1]


def test_a_character_beyond_ascii_moves_no_other():
    batch = encode(["é", "ab"], steps=2, columns=2)
    assert batch.forward.T.tolist() == [[ord("?"), 0], [97, 98]]
