"""Which announcement of a topic is in force: the last one, or the newest that is signed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stream_detector.errors import RefusalReason, RefusedModelError
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
from stream_detector.models.signed_announcements import sequence_of

Refuse = Callable[[RefusedModelError], object]
"""Called for a record that is malformed, unsigned or outdated; the one before stays in force."""
Latest = Mapping[bytes, Announcement | ShadowEnd]
"""What is in force, by the key in the topic."""


class _Said(NamedTuple):
    announced: Announcement | ShadowEnd
    sequence: int


class AnnouncementOrder:
    """The announcement in force for each key. Feed it records in order, then call ``newest``.

    Without a public key the last record of a key is in force. With one, only signed records are
    accepted, and none with a lower sequence than any record this object has ever accepted: a
    replayed old record can't bring an old model back.
    """

    def __init__(
        self, public_key: Ed25519PublicKey | None, refusing: Mapping[Role, Refuse] | None = None
    ) -> None:
        """``refusing`` is called for the records that are refused, by role."""
        self._public_key = public_key
        self._refusing = refusing or {}
        self._seen: dict[bytes, int] = {}
        """By key, the highest sequence ever accepted."""
        self._latest: dict[bytes, _Said] = {}
        self._is_reread = True

    @property
    def needs_signatures(self) -> bool:
        """Whether only signed records are accepted."""
        return self._public_key is not None

    def begin(self) -> None:
        """The topic is read from its beginning from now on, for the first time or again."""
        self._latest.clear()
        self._is_reread = True

    def read(self, records: Iterable[Any]) -> None:
        """Judge ``records``, which have a key, a value and headers."""
        for record in records:
            if record.key in KEYS:
                # Read again from the beginning, older records precede the newest: no fault.
                floor = 0 if self._is_reread else self._seen.get(record.key, 0)
                self._judge(record, floor)

    def newest(self, kept: Iterable[Any] = ()) -> Latest:
        """What came into force since the last call.

        After ``begin`` this includes the end of the shadow for each kind without one: compaction
        may have removed the record that ended it. ``kept`` are the records of the model store.
        """
        if self._is_reread:
            self._pass_over_outdated(kept)
            for kind in get_args(Kind):
                if shadow_key(kind) not in self._latest and not self.sequence(shadow_key(kind)):
                    self._latest[shadow_key(kind)] = _Said(ShadowEnd(kind), 0)
        self._is_reread = False
        for key, said in self._latest.items():
            self._seen[key] = max(self._seen.get(key, 0), said.sequence)
        latest = {key: said.announced for key, said in self._latest.items()}
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
                sequence = sequence_of(key, record.value, record.headers, self._public_key)
            announced = decode_announcement(key, record.value)
            before = self._latest.get(key)
            if sequence < max(floor, before.sequence if before else 0):
                raise _outdated(key, sequence)
        except RefusedModelError as error:
            self._refuse(key, error)
            return
        if announced is not None:
            self._latest[key] = _Said(announced, sequence)

    def _pass_over_outdated(self, kept: Iterable[Any]) -> None:
        """Drop what the topic has if the model store or an earlier reading had something newer."""
        topic, self._latest = self._latest, {}
        self.read(kept)
        for key, said in topic.items():
            newest = self._latest.get(key)
            if said.sequence >= max(newest.sequence if newest else 0, self._seen.get(key, 0)):
                self._latest[key] = said
            else:
                self._refuse(key, _outdated(key, said.sequence))

    def _refuse(self, key: bytes, error: RefusedModelError) -> None:
        if refuse := self._refusing.get(role_of(key)):
            refuse(error)


def _outdated(key: bytes, sequence: int) -> RefusedModelError:
    return RefusedModelError(
        RefusalReason.OUTDATED,
        f"what was announced for {key.decode()} under sequence {sequence} is older than what was "
        "announced before: somebody wrote an old record again, so find out who may write to the "
        "topic; to go back to an older model use `stream-trainer models rollback`",
    )
