import time

import pytest

from stream_detector.events import DeadLetter, RejectReason, SourcePosition
from stream_detector.limits import LETTER_KEY_BYTES_MAX, LETTER_VALUE_BYTES_MAX
from stream_detector.privacy.letter_bytes import letter_without_credentials
from stream_detector.wire.outcomes import dead_letter_headers
from support.memory import takes_at_most

MIB = 1024 * 1024


def letter(value: bytes | None, key: bytes | None = None) -> DeadLetter:
    source = SourcePosition("events", 0, 7, 0)
    return DeadLetter(key, value, RejectReason.MALFORMED, "broken", source, None)


def test_a_letter_that_is_not_too_long_stays_whole() -> None:
    whole = letter(b"x" * LETTER_VALUE_BYTES_MAX, b"k" * LETTER_KEY_BYTES_MAX)
    assert letter_without_credentials(whole) is whole
    assert letter_without_credentials(letter(None)) == letter(None)


def test_key_and_value_are_cut_and_keep_their_original_lengths() -> None:
    cut = letter_without_credentials(letter(b"v" * 3 * MIB, b"k" * 2 * MIB))
    assert cut.value == b"v" * LETTER_VALUE_BYTES_MAX
    assert cut.key == b"k" * LETTER_KEY_BYTES_MAX
    headers = dict(dead_letter_headers(cut))
    assert headers["truncated-from-bytes"] == b"%d" % (3 * MIB)
    assert headers["key-truncated-from-bytes"] == b"%d" % (2 * MIB)
    assert headers["source-offset"] == b"7"


@pytest.mark.parametrize("unit", [b":@\n", b":@", b'"', b'":@', b"//x:a\n", b"http://a:b@c ", b"@"])
def test_masked_letters_fit_and_take_little_memory_and_time(unit: bytes) -> None:
    value = unit * (32 * MIB // len(unit))
    started = time.monotonic()
    with takes_at_most(200 * MIB):
        cut = letter_without_credentials(letter(value))
    assert time.monotonic() - started < 10
    assert len(cut.value or b"") <= LETTER_VALUE_BYTES_MAX + 1
    assert cut.value_cut_from == len(value)


@pytest.mark.parametrize("at", [b"@", b"%40", b"%2540", b"\\u0040"])
@pytest.mark.parametrize("kept", range(-6, 4))
def test_a_password_that_the_cut_divides_from_its_at_is_masked(at: bytes, kept: int) -> None:
    start = b'{"url": "http://user:'
    password = b"s3cret" * 20
    padding = b"p" * (LETTER_VALUE_BYTES_MAX - len(start) - len(password) + kept)
    value = start + password + padding + at + b'host.example/"' + b"more" * MIB
    masked = letter_without_credentials(letter(value)).value or b""
    if at != b"%2540":  # which no dead letter has masked, cut or not
        assert b"s3cret" not in masked


def test_an_at_in_another_string_masks_nothing() -> None:
    value = b'"time: 10:20' + b"x" * LETTER_VALUE_BYTES_MAX + b'" "a@b"'
    assert (letter_without_credentials(letter(value)).value or b"").startswith(b'"time: 10:20x')
