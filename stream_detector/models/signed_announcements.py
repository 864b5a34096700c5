"""Signed announcements: who announced a model, and which announcement is in force.

A signed record has two headers. ``sequence`` grows from one announcement of a key to the next, and
``signature`` is Ed25519 over key, sequence and value. So nobody without the key can change role,
model, thresholds or time, nor write an old record again: its sequence is too low. A rollback to an
older model is a new announcement with a new sequence.

The model store keeps the last signed announcement of each key too. Compaction leaves only the last
record of a key in the topic, so a forged record would otherwise erase the signed one.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stream_detector.errors import BundleError, RefusalReason, RefusedModelError
from stream_detector.events import Kind
from stream_detector.models.announcement import (
    KEYS,
    Announcement,
    Role,
    ShadowEnd,
    decode_announcement,
    role_of,
    shadow_key,
)
from stream_detector.models.signing import sign
from stream_detector.models.store import ModelStore

logger = logging.getLogger(__name__)

Headers = Iterable[tuple[str, bytes]]
Refuse = Callable[[RefusedModelError], object]
"""Called for a malformed, unsigned or outdated record; the one before it stays in force."""
Latest = Mapping[bytes, Announcement | ShadowEnd]
"""The announcements in force, by the key in the topic."""

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
    """A number above ``newest``: milliseconds since the epoch, so above any lost one too."""
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


def keep_signed(store: ModelStore, record: SignedRecord) -> None:
    """Store ``record`` as the last one of its key; raises as ``ModelStore``."""
    given = dict(record.headers)
    kept = _Kept(record.value, int(given[_SEQUENCE]), given[_SIGNATURE])
    store.put_announced(record.key.decode(), msgspec.json.encode(kept))


def kept_signed(store: ModelStore) -> list[SignedRecord]:
    """The stored record of each key, without damaged ones; raises as ``ModelStore``.

    Nobody has checked the signatures: ``AnnouncementOrder`` does.
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


class _Accepted(NamedTuple):
    announced: Announcement | ShadowEnd
    sequence: int


class AnnouncementOrder:
    """The announcement in force for each key. Feed it records in order, then call ``newest``.

    Without a public key the last record of a key is in force. With one, only signed records are
    accepted, and none with a lower sequence than any record that this object has accepted: a
    replayed old record can't bring an old model back.
    """

    def __init__(
        self, public_key: Ed25519PublicKey | None, refusing: Mapping[Role, Refuse] | None = None
    ) -> None:
        """``refusing`` is called for refused records, by role."""
        self._public_key = public_key
        self._refusing = refusing or {}
        self._seen: dict[bytes, int] = {}
        """By key, the highest sequence ever accepted."""
        self._latest: dict[bytes, _Accepted] = {}
        self._is_reread = True

    @property
    def needs_signatures(self) -> bool:
        """Whether only signed records are accepted."""
        return self._public_key is not None

    def begin(self) -> None:
        """The next records are those from the beginning of the topic, perhaps read again."""
        self._latest.clear()
        self._is_reread = True

    def read(self, records: Iterable[Any]) -> None:
        """Judge ``records``, which have a key, a value and headers."""
        for record in records:
            if record.key in KEYS:
                # From the beginning, older records come before the newest: they are no replays.
                floor = 0 if self._is_reread else self._seen.get(record.key, 0)
                self._judge(record, floor)

    def newest(self, kept: Iterable[Any] = ()) -> Latest:
        """The announcements that came into force since the last call.

        After ``begin`` this includes the end of the shadow for each kind without one: compaction
        may have removed the record that ended it. ``kept`` are the records of the model store.
        """
        if self._is_reread:
            self._drop_outdated(kept)
            for kind in get_args(Kind):
                if shadow_key(kind) not in self._latest and not self.sequence(shadow_key(kind)):
                    self._latest[shadow_key(kind)] = _Accepted(ShadowEnd(kind), 0)
        self._is_reread = False
        for key, accepted in self._latest.items():
            self._seen[key] = max(self._seen.get(key, 0), accepted.sequence)
        latest = {key: accepted.announced for key, accepted in self._latest.items()}
        self._latest.clear()
        return latest

    def sequence(self, key: bytes) -> int:
        """The highest sequence accepted for ``key``; 0 if none was signed."""
        return self._seen.get(key, 0)

    def _judge(self, record: Any, floor: int) -> None:
        key = record.key
        try:
            sequence = 0
            if self._public_key is not None:
                sequence = _sequence_of(key, record.value, record.headers, self._public_key)
            announced = decode_announcement(key, record.value)
            before = self._latest.get(key)
            if sequence < max(floor, before.sequence if before else 0):
                raise _outdated(key, sequence)
        except RefusedModelError as error:
            self._refuse(key, error)
            return
        if announced is not None:
            self._latest[key] = _Accepted(announced, sequence)

    def _drop_outdated(self, kept: Iterable[Any]) -> None:
        """Drop the topic's record if the model store or an earlier reading had a newer one."""
        topic, self._latest = self._latest, {}
        self.read(kept)
        for key, accepted in topic.items():
            newest = self._latest.get(key)
            if accepted.sequence >= max(newest.sequence if newest else 0, self.sequence(key)):
                self._latest[key] = accepted
            else:
                self._refuse(key, _outdated(key, accepted.sequence))

    def _refuse(self, key: bytes, error: RefusedModelError) -> None:
        if refuse := self._refusing.get(role_of(key)):
            refuse(error)


def _outdated(key: bytes, sequence: int) -> RefusedModelError:
    return RefusedModelError(
        RefusalReason.OUTDATED,
        f"the announcement for {key.decode()} with sequence {sequence} is older than one that was "
        "accepted before: somebody wrote an old record again, so find out who may write to the "
        "topic; to go back to an older model use `stream-trainer models rollback`",
    )


def _sequence_of(
    key: bytes, value: bytes | None, headers: Headers, public_key: Ed25519PublicKey
) -> int:
    """The sequence of a record that the private half of ``public_key`` signed.

    Raises:
        RefusedModelError: ``SIGNATURE``: there is no signature, or one of another key.
    """
    given = dict(headers)
    number, signature = given.get(_SEQUENCE) or b"", given.get(_SIGNATURE)
    if signature is None:
        raise RefusedModelError(
            RefusalReason.SIGNATURE,
            f"the announcement for {key.decode()} is not signed, and model_public_key is set: "
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
        f"the announcement for {key.decode()} was changed after it was signed, or not signed by "
        "the private half of model_public_key: announce it with the right --signing-key, or find "
        "out who may write to the topic",
    )


def _headers(sequence: int, signature: bytes) -> Headers:
    return [(_SEQUENCE, str(sequence).encode()), (_SIGNATURE, signature)]


def _content(key: bytes, value: bytes | None, sequence: int) -> bytes:
    """The signed bytes. Only the last part can hold a zero byte, so no part can be shifted."""
    return b"\0".join([_WHAT, key, str(sequence).encode(), value or b""])
