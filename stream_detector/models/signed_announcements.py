"""Signed announcements: proof of who announced a model, and of which announcement is newer.

A signed record has two headers. ``sequence`` grows from one announcement of a key to the next, and
``signature`` is Ed25519 over key, sequence and value. Nobody can change role, model, thresholds or
time, or replay an old record: its sequence is too low. A rollback to an older model is a new
announcement with a new sequence.

The model store keeps the last signed one as well, because compaction leaves only the last record of
a key in the topic, whoever wrote it.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stream_detector.errors import BundleError, RefusalReason, RefusedModelError
from stream_detector.models.announcement import KEYS
from stream_detector.models.signing import sign
from stream_detector.models.store import ModelStore

logger = logging.getLogger(__name__)

Headers = Iterable[tuple[str, bytes]]

_SEQUENCE, _SIGNATURE = "sequence", "signature"
_SEQUENCE_DIGITS_MAX = 18
"""Below 2**63; today's have 13."""
_WHAT = b"stream-detector announcement"
"""Prefix of the signed bytes: the same key signs manifests, and no manifest starts like this."""


class SignedRecord(NamedTuple):
    """A record of the topic."""

    key: bytes
    value: bytes | None
    headers: Headers


class _Kept(msgspec.Struct, frozen=True):
    """A record in the model store."""

    value: bytes | None
    sequence: int
    signature: bytes


def next_sequence(newest: int) -> int:
    """A number above ``newest``: milliseconds since the epoch, above any that was lost too."""
    return max(newest + 1, int(datetime.now(UTC).timestamp() * 1000))


def signed_record(
    key: bytes, value: bytes | None, *, sequence: int, signing_key: Path
) -> SignedRecord:
    """The record to write.

    Raises:
        SettingsError: ``signing_key`` holds no Ed25519 private key without a password.
    """
    signature = sign(_content(key, value, sequence), signing_key)
    return SignedRecord(key, value, _headers(sequence, signature))


def sequence_of(
    key: bytes, value: bytes | None, headers: Headers, public_key: Ed25519PublicKey
) -> int:
    """The sequence of a record that the private half of ``public_key`` signed.

    Raises:
        RefusedModelError: ``SIGNATURE``: there is no signature, or not by that key.
    """
    given = dict(headers)
    number, signature = given.get(_SEQUENCE) or b"", given.get(_SIGNATURE)
    if signature is None:
        raise RefusedModelError(
            RefusalReason.SIGNATURE,
            f"what was announced for {key.decode()} is not signed, and model_public_key is set: "
            "announce it with --signing-key, or find out who may write to the topic",
        )
    if number.isdigit() and len(number) <= _SEQUENCE_DIGITS_MAX:
        try:
            public_key.verify(signature, _content(key, value, int(number)))
        except InvalidSignature:
            pass
        else:
            return int(number)
    raise RefusedModelError(
        RefusalReason.SIGNATURE,
        f"what was announced for {key.decode()} was changed after it was signed, or not signed by "
        "the private half of model_public_key: announce it with the right --signing-key, or find "
        "out who may write to the topic",
    )


def keep_signed(store: ModelStore, record: SignedRecord) -> None:
    """Keep ``record`` as the last one of its key.

    Raises:
        RetryableError: the store can't be reached or written.
    """
    given = dict(record.headers)
    kept = _Kept(record.value, int(given[_SEQUENCE]), given[_SIGNATURE])
    store.put_announced(record.key.decode(), msgspec.json.encode(kept))


def kept_signed(store: ModelStore) -> list[SignedRecord]:
    """The last record of each key that has one, damaged ones left out. No signature is checked.

    Raises:
        RetryableError: the store can't be reached.
    """
    records = []
    for key in sorted(KEYS):
        try:
            content = store.announced(key.decode())
            if content is not None:
                kept = msgspec.json.decode(content, type=_Kept)
                headers = _headers(kept.sequence, kept.signature)
                records.append(SignedRecord(key, kept.value, headers))
        except (BundleError, msgspec.DecodeError, UnicodeDecodeError):
            logger.warning("the announcement of %s in %s is damaged", key.decode(), store.url)
    return records


def _headers(sequence: int, signature: bytes) -> Headers:
    return [(_SEQUENCE, str(sequence).encode()), (_SIGNATURE, signature)]


def _content(key: bytes, value: bytes | None, sequence: int) -> bytes:
    """The signed bytes. Only the last part can hold a zero byte, so the parts can't be shifted."""
    return b"\0".join([_WHAT, key, str(sequence).encode(), value or b""])
