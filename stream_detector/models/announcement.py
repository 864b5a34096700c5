"""The announcement of a published model: what stands in the topic ``url-models``.

Schema: ``data/schemas/url-model.json``. The key is the model's kind, or ``shadow/`` and the kind,
so that a compacted topic keeps the one model that is to serve each kind, and the one that is to
be its shadow. A record without a value ends a shadow. Fields that are not known here are passed
over.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.name_rules import name_fault

__all__ = [
    "KEYS",
    "Announcement",
    "Role",
    "ShadowEnd",
    "announcement_key",
    "decode_announcement",
    "encode_announcement",
    "role_of",
    "shadow_key",
]

Role = Literal["serve", "shadow"]
"""Whether a model gives the verdicts, or is only compared with the one that does."""

_NAME_SHOWN_CHARACTERS = 200
_BYTES_MAX = 65_536
"""Four times the longest that is written: 100 versions, and the gate's decision in short."""
_COMMANDS = {False: "promote", True: "shadow"}
"""What announces a model anew, by whether it is a shadow."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One bundle of the model store, and what it is to do for its kind from now on."""

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
    withdrawn: tuple[Sha256, ...] = ()
    """Versions that a rollback took back, newest first: no retraining brings them again."""
    gate: dict[str, Any] | None = None
    """The gate's decision on it, in short, where there was one. For people."""
    role: Role = "serve"
    share: Share | None = None
    """Of a shadow: the share of texts that it scores too. Of another it says nothing."""

    @property
    def ref(self) -> ModelRef:
        """How verdicts name the model."""
        return ModelRef(self.name, self.version, self.sha256)


class ShadowEnd(NamedTuple):
    """The shadow of a kind is announced no more."""

    kind: Kind


def announcement_key(announcement: Announcement) -> bytes:
    """The key in the topic."""
    if announcement.role == "shadow":
        return shadow_key(announcement.kind)
    return announcement.kind.encode()


def shadow_key(kind: Kind) -> bytes:
    """The key in the topic of the shadow of a kind."""
    return f"shadow/{kind}".encode()


KEYS = frozenset(key for kind in get_args(Kind) for key in (kind.encode(), shadow_key(kind)))
"""All keys of announcements."""
_KINDS = frozenset(kind.encode() for kind in get_args(Kind))
_SHADOWS: dict[bytes, Kind] = {shadow_key(kind): kind for kind in get_args(Kind)}


def role_of(key: bytes | None) -> Role:
    """What the model of a record with ``key`` is to do."""
    return "shadow" if key in _SHADOWS else "serve"


def encode_announcement(announcement: Announcement) -> bytes:
    """The value in the topic, JSON."""
    return msgspec.json.encode(announcement)


def decode_announcement(key: bytes | None, value: bytes | None) -> Announcement | ShadowEnd | None:
    """The announcement in a record; None for what says nothing of a model here.

    That is a record of a served model without a value, and one of a key that is not known.

    Raises:
        RefusedModelError: ``MALFORMED``.
    """
    if key is None or (key not in _KINDS and key not in _SHADOWS):
        return None
    if value is None:
        return ShadowEnd(_SHADOWS[key]) if key in _SHADOWS else None
    again = f"announce the model anew by `stream-trainer models {_COMMANDS[key in _SHADOWS]}`"
    if len(value) > _BYTES_MAX:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"what was announced for {key.decode()} has {len(value)} bytes, more than {_BYTES_MAX}:"
            f" {again}",
        )
    try:
        announcement = msgspec.json.decode(value, type=Announcement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"what was announced for {key.decode()} is no announcement "
            f"({str(error)[:_NAME_SHOWN_CHARACTERS]}): {again}",
        ) from error
    for field in ("name", "version"):
        if fault := name_fault(getattr(announcement, field)):
            raise RefusedModelError(
                RefusalReason.MALFORMED,
                f"the {field} of what was announced for {key.decode()} {fault}: {again}",
            )
    if announcement_key(announcement) != key:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"an announcement with the key {key.decode()} is for kind {announcement.kind}, to "
            f"{announcement.role}: {again}",
        )
    if announcement.role == "shadow" and announcement.share is None:
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"what was announced for {key.decode()} names no share: {again}",
        )
    return announcement
