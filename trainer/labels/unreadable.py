"""Records of the topics of labels that hold no label, as dead letters that Kafka always takes."""

from typing import Any

from stream_detector.events import DeadLetter, Rejected, RejectReason, SourcePosition
from stream_detector.kafka.bounded_reading import is_unread
from stream_detector.kafka.label_reading import (
    KEPT_BYTES,
    KEY_BYTES,
    RECORD_BYTES_MAX,
    VALUE_BYTES,
)
from stream_detector.privacy.letter_bytes import (
    cut_letter,
    cut_masked_letter,
    letter_without_credentials,
)
from stream_detector.wire.outcomes import Message, dead_letter_headers


def too_large(record: Any) -> Rejected | None:
    """Why a record of a bounded batch is larger than any label; None where it is not."""
    if is_unread(record):
        detail = "its batch is damaged, or decompresses to more than twice record_bytes_max"
        return Rejected(RejectReason.TOO_LARGE, detail)
    if VALUE_BYTES in dict(record.headers):
        detail = f"a record of a label has {RECORD_BYTES_MAX} bytes at most"
        return Rejected(RejectReason.TOO_LARGE, detail)
    return None


def dead_letter_of(record: Any, rejected: Rejected) -> Message:
    """The dead letter as a message for Kafka.

    Key and value are cut before masking, whose memory and time grow with their length, and again
    after it, since masking may make them longer: Kafka then takes every letter. Headers give the
    original lengths and the position of the whole record.
    """
    said = dict(record.headers)
    key, key_cut_from = _read(record.key, said.get(KEY_BYTES))
    value, value_cut_from = _read(record.value, said.get(VALUE_BYTES))
    letter = DeadLetter(
        key,
        value,
        rejected.reason,
        rejected.detail,
        SourcePosition(record.topic, record.partition, record.offset, 0),
        record.timestamp,
        key_cut_from=key_cut_from,
        value_cut_from=value_cut_from,
    )
    masked = letter_without_credentials(cut_letter(letter, value_bytes_max=KEPT_BYTES))
    letter = cut_masked_letter(masked, value_bytes_max=KEPT_BYTES)
    # kafka-python sends no record without both, though Kafka holds such: its key is empty.
    key = b"" if letter.key is None and letter.value is None else letter.key
    return key, letter.value, dead_letter_headers(letter)


def _read(part: bytes | None, bytes_written: bytes | None) -> tuple[bytes | None, int]:
    """A part of a record as far as it was read, and its length if that is not all of it.

    The lost rest may hold the ``@`` that makes the part before it a password: one is added, so that
    masking takes it for one.
    """
    length = int(bytes_written or 0)
    if part is None or length <= len(part):
        return part, 0
    return part + b"@", length
