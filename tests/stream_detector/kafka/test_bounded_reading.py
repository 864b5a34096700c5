"""What commands read of record batches that a broker takes and kafka-python stops at."""

import pytest

from stream_detector.kafka.bounded_reading import Batch, is_unread
from stream_detector.kafka.label_reading import (
    KEPT_BYTES,
    KEY_BYTES,
    RECORD_BYTES_MAX,
    VALUE_BYTES,
    kept_of_label,
)
from stream_detector.wire.labels import SIGNATURE
from support.raw_batches import raw_batch, raw_record


def read(body: bytes, count: int) -> list[tuple[int, bytes | None, bool]]:
    batch = Batch(raw_batch(body, count), bytes_max=1_000_000)
    return [(one.offset, one.value, is_unread(one)) for one in batch]


@pytest.mark.parametrize("behind", [b"\x00", b"\x0f\xff\xff", b"behind the last record"])
def test_bytes_behind_the_last_record_do_not_end_the_reading(behind: bytes) -> None:
    body = raw_record(b"a") + raw_record(b"b", offset_delta=1)
    assert read(body + behind, 2) == [(0, b"a", False), (1, b"b", False)]


def test_damage_behind_the_record_with_the_last_offset_leaves_no_record_unread() -> None:
    body = raw_record(b"a") + raw_record(b"c", offset_delta=2) + b"\x10damage"
    assert read(body, 3) == [(0, b"a", False), (2, b"c", False)]


def test_damage_leaves_the_records_behind_it_unread() -> None:
    body = raw_record(b"a") + b"\x10damage"
    assert read(body, 3) == [(0, b"a", False), (1, None, True), (2, None, True)]


def test_only_the_signature_is_kept_of_the_headers_of_a_label() -> None:
    headers = [("h", b""), (VALUE_BYTES, b"x"), (SIGNATURE, b"s")]
    assert kept_of_label(b"k", None, headers) == (b"k", None, [(SIGNATURE, b"s")])


def test_a_record_longer_than_any_label_is_cut_and_says_how_long_it_was() -> None:
    value = b"v" * RECORD_BYTES_MAX
    assert kept_of_label(b"k", value, [(SIGNATURE, b"s")]) == (
        b"k",
        value[:KEPT_BYTES],
        [(KEY_BYTES, b"1"), (VALUE_BYTES, b"%d" % RECORD_BYTES_MAX)],
    )
