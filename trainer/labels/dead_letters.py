"""Records of the topics of labels that hold no label, as dead letters that Kafka always takes."""

import re
from typing import Any

from msgspec import structs

from stream_detector.events import DeadLetter, Rejected, RejectReason, SourcePosition
from stream_detector.privacy import letter_without_credentials
from stream_detector.wire import Message, dead_letter_headers
from trainer.labels.bounded_batches import (
    BATCH_BYTES_MAX,
    KEPT_BYTES,
    KEY_BYTES,
    RECORD_BYTES_MAX,
    REST_OF_BATCH_FROM,
    VALUE_BYTES,
)

__all__ = ["dead_letter_of", "too_large"]

_STRING_END = re.compile(rb'(?<!\\)"|[\r\n]')
"""What parts the strings of which each is masked by itself."""


def too_large(record: Any) -> Rejected | None:
    """Why a record of a bounded batch is larger than any label; None where it is not."""
    said = dict(record.headers)
    if REST_OF_BATCH_FROM in said:
        detail = (
            f"the batch is damaged, or unpacks to more than {BATCH_BYTES_MAX} bytes: not read from "
            f"offset {int(said[REST_OF_BATCH_FROM])} on"
        )
        return Rejected(RejectReason.TOO_LARGE, detail)
    if VALUE_BYTES in said:
        detail = f"a record of a label has {RECORD_BYTES_MAX} bytes at most"
        return Rejected(RejectReason.TOO_LARGE, detail)
    return None


def dead_letter_of(record: Any, rejected: Rejected) -> Message:
    """The dead letter as a message for Kafka.

    Key and value are cut before they are masked, which takes memory and time by their length, and
    cut again after it, which may make them longer: Kafka takes every letter. Headers say how long
    they were, and where the whole record lies.
    """
    said = dict(record.headers)
    key, key_bytes = _cut(record.key, said.get(KEY_BYTES))
    value, value_bytes = _cut(record.value, said.get(VALUE_BYTES))
    letter = letter_without_credentials(
        DeadLetter(
            key,
            value,
            rejected.reason,
            rejected.detail,
            SourcePosition(record.topic, record.partition, record.offset, 0),
            record.timestamp,
        )
    )
    key, value = letter.key and letter.key[:KEPT_BYTES], letter.value and letter.value[:KEPT_BYTES]
    headers = dead_letter_headers(
        structs.replace(
            letter,
            key_cut_from=key_bytes if max(key_bytes, len(letter.key or b"")) > KEPT_BYTES else 0,
            value_cut_from=value_bytes
            if max(value_bytes, len(letter.value or b"")) > KEPT_BYTES
            else 0,
        )
    )
    # kafka-python sends no record without both, though Kafka holds such: its key is empty.
    return (b"" if key is None and value is None else key), value, headers


def _cut(part: bytes | None, bytes_read: bytes | None) -> tuple[bytes | None, int]:
    """The beginning of ``part``, whole strings only, and how long it was.

    Of a string that is cut off before its ``@`` nobody can tell that it holds a password.
    """
    length = len(part or b"") if bytes_read is None else int(bytes_read)
    if part is None or length <= KEPT_BYTES:
        return part, length
    end = 0
    for string_end in _STRING_END.finditer(part, 0, KEPT_BYTES):
        end = string_end.end()
    return part[:end], length
