"""Records of the topics of labels that hold no label, as dead letters that Kafka always takes."""

import re
from typing import Any

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
            f"the batch unpacks to more than {BATCH_BYTES_MAX} bytes: not read from offset "
            f"{int(said[REST_OF_BATCH_FROM])} on"
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
    letter = letter_without_credentials(
        DeadLetter(
            _cut(record.key, said.get(KEY_BYTES)),
            _cut(record.value, said.get(VALUE_BYTES)),
            rejected.reason,
            rejected.detail,
            SourcePosition(record.topic, record.partition, record.offset, 0),
            record.timestamp,
        )
    )
    headers = dead_letter_headers(letter)
    key, value = letter.key, letter.value
    for part, masked, name, length in (
        (record.value, value, "truncated-from-bytes", said.get(VALUE_BYTES)),
        (record.key, key, "key-truncated-from-bytes", said.get(KEY_BYTES)),
    ):
        bytes_read = len(part or b"") if length is None else int(length)
        if max(bytes_read, len(masked or b"")) > KEPT_BYTES:
            headers.append((name, b"%d" % bytes_read))
    # kafka-python sends no record without both, though Kafka holds such: its key is empty.
    key = b"" if key is None and value is None else key
    return key and key[:KEPT_BYTES], value and value[:KEPT_BYTES], headers


def _cut(part: bytes | None, bytes_read: bytes | None) -> bytes | None:
    """The beginning of ``part``, whole strings only: of one that is cut off before its ``@`` nobody
    can tell that it holds a password.
    """
    length = len(part or b"") if bytes_read is None else int(bytes_read)
    if part is None or length <= KEPT_BYTES:
        return part
    end = 0
    for string_end in _STRING_END.finditer(part, 0, KEPT_BYTES):
        end = string_end.end()
    return part[:end]
