"""What the collector reads of record batches that a broker takes and kafka-python stops at."""

import pytest

from stream_detector.kafka.label_batches import REST_OF_BATCH_FROM, _Batch
from stream_detector.wire.label_signatures import SIGNATURE
from support.raw_batches import raw_batch, raw_record


def read(body: bytes, count: int) -> list[tuple[int, bytes | None, list[tuple[str, bytes]]]]:
    return [(one.offset, one.value, one.headers) for one in _Batch(raw_batch(body, count))]


@pytest.mark.parametrize("behind", [b"\x00", b"\x0f\xff\xff", b"behind the last record"])
def test_bytes_behind_the_last_record_do_not_end_the_reading(behind: bytes) -> None:
    body = raw_record(b"a") + raw_record(b"b", offset_delta=1)
    assert read(body + behind, 2) == [(0, b"a", []), (1, b"b", [])]


def test_damage_behind_the_record_with_the_last_offset_gives_no_rest() -> None:
    body = raw_record(b"a") + raw_record(b"c", offset_delta=2) + b"\x10damage"
    assert read(body, 3) == [(0, b"a", []), (2, b"c", [])]


def test_damage_before_it_gives_a_rest_that_begins_at_the_first_offset_unread() -> None:
    body = raw_record(b"a") + b"\x10damage"
    assert read(body, 3) == [(0, b"a", []), (2, None, [(REST_OF_BATCH_FROM, b"1")])]


@pytest.mark.parametrize(("before", "is_found"), [(99, True), (100, False)])
def test_a_signature_is_looked_for_among_the_first_headers_alone(
    before: int, is_found: bool
) -> None:
    signature = (SIGNATURE.encode(), b"s" * 64)
    body = raw_record(b"a", headers=[(b"", b"")] * before + [signature])
    assert read(body, 1) == [(0, b"a", [(SIGNATURE, b"s" * 64)] if is_found else [])]
