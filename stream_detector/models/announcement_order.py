"""Which of the announcements in a topic counts: the last one, or the newest that was signed."""

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

__all__ = ["AnnouncementOrder", "Latest", "Refuse"]

Refuse = Callable[[RefusedModelError], object]
"""Gets what is no announcement, not signed, or too old; the one before it counts then."""
Latest = Mapping[bytes, Announcement | ShadowEnd]
"""What counts, by the key in the topic."""


class _Said(NamedTuple):
    announced: Announcement | ShadowEnd
    sequence: int


class AnnouncementOrder:
    """Keeps what counts for each key. Feed it records in their order, then ask what is new.

    Without a public key the last record of a key counts. With one only signed records count, and
    none that was signed before another one that this object has seen, ever.
    """

    def __init__(
        self, public_key: Ed25519PublicKey | None, refusing: Mapping[Role, Refuse] | None = None
    ) -> None:
        """``refusing`` gets the records that do not count, by role."""
        self._public_key = public_key
        self._refusing = refusing or {}
        self._seen: dict[bytes, int] = {}
        """By key, the highest sequence of all that was ever taken."""
        self._latest: dict[bytes, _Said] = {}
        self._is_reread = True

    @property
    def needs_signatures(self) -> bool:
        """Whether only what was signed counts."""
        return self._public_key is not None

    def begin(self) -> None:
        """The topic is read from its beginning from now on, maybe once more."""
        self._latest.clear()
        self._is_reread = True

    def read(self, records: Iterable[Any]) -> None:
        """Judge ``records``, which have a key, a value and headers."""
        for record in records:
            if record.key in KEYS:
                # What stood before the newest one, when that was written, is no fault.
                floor = 0 if self._is_reread else self._seen.get(record.key, 0)
                self._judge(record, floor)

    def newest(self, kept: Iterable[Any] = ()) -> Latest:
        """What counts of all that was read since the last call.

        After ``begin`` that is a shadow's end for each kind without one, too: compaction may have
        removed the record that ended it. ``kept`` are the last records of the model store then.
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
        """The highest that was seen of ``key``; 0 where nothing was signed."""
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
        """Of a topic that was read from its beginning: the last may be older than the newest."""
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
