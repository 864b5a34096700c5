"""The announcement of a published model: what stands in the topic ``url-models``.

Schema: ``data/schemas/url-model.json``. The key is the model's kind, so that a compacted topic
keeps the one model that is to serve each kind. Fields that are not known here are passed over.
"""

from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.events import Kind, ModelRef, Thresholds

__all__ = ["Announcement", "announcement_key", "decode_announcement", "encode_announcement"]

_KINDS = frozenset(kind.encode() for kind in get_args(Kind))
_NAME_SHOWN_CHARACTERS = 200

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One bundle of the model store, and that it is to serve its kind from now on."""

    name: str
    kind: Kind
    version: str
    """As the bundle's manifest names it."""
    sha256: Sha256
    """``Bundle.sha256``: the bundle's version in the store."""
    url: str
    """Where the publisher put it. Workers fetch by kind and sha256 from their own store."""
    thresholds: Thresholds
    announced_at: Annotated[datetime, msgspec.Meta(tz=True)]
    previous: tuple[Sha256, ...] = ()
    """Versions announced before, newest first: what a rollback goes back to."""
    gate: dict[str, Any] | None = None
    """The gate's decision on it, in short, where there was one. For people."""

    @property
    def ref(self) -> ModelRef:
        """How verdicts name the model."""
        return ModelRef(self.name, self.version, self.sha256)


def announcement_key(announcement: Announcement) -> bytes:
    """The key in the topic."""
    return announcement.kind.encode()


def encode_announcement(announcement: Announcement) -> bytes:
    """The value in the topic, JSON."""
    return msgspec.json.encode(announcement)


def decode_announcement(key: bytes | None, value: bytes | None) -> Announcement | None:
    """The announcement in a record; None for what says nothing of a served model.

    That is a record without a value, and one whose key is no kind of model.

    Raises:
        RefusedModelError: ``MALFORMED``.
    """
    if key is None or key not in _KINDS or value is None:
        return None
    try:
        announcement = msgspec.json.decode(value, type=Announcement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"what was announced for {key.decode()} is no announcement "
            f"({str(error)[:_NAME_SHOWN_CHARACTERS]}): announce the model anew by "
            "`stream-trainer models promote`",
        ) from error
    if announcement_key(announcement) != key:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"an announcement with the key {key.decode()} is for kind {announcement.kind}: "
            "announce the model anew by `stream-trainer models promote`",
        )
    return announcement
