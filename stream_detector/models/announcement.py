"""Announcements of published models, the records of the topic ``url-models``.

Schema: ``data/schemas/url-model.json``. The key is the model's kind, or ``shadow/`` and the kind:
a compacted topic keeps the model that serves each kind, and its shadow. A record without a value
ends a shadow. Unknown fields are ignored.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.name_rules import name_fault

Role = Literal["serve", "shadow"]
"""Whether a model gives the verdicts, or is only compared with the model that does."""

_NAME_SHOWN_CHARACTERS = 200
_BYTES_MAX = 65_536
"""Four times the longest that is written: 100 versions, and the gate's decision in short."""

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One bundle of the model store, and its role for its kind from now on."""

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
    """Versions announced before, newest first: a rollback returns to the first."""
    withdrawn: tuple[Sha256, ...] = ()
    """Versions that a rollback withdrew, newest first: no retraining announces them again."""
    gate: dict[str, Any] | None = None
    """The gate's decision in short, if there was one; for people."""
    role: Role = "serve"
    share: Share | None = None
    """Only for a shadow: the share of texts that it scores as well."""

    @property
    def ref(self) -> ModelRef:
        """How verdicts name the model."""
        return ModelRef(self.name, self.version, self.sha256)


class ShadowEnd(NamedTuple):
    """The end of the shadow of a kind."""

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
    """The role of the model in a record with ``key``."""
    return "shadow" if key in _SHADOWS else "serve"


def encode_announcement(announcement: Announcement) -> bytes:
    """The value in the topic, JSON."""
    return msgspec.json.encode(announcement)


def decode_announcement(key: bytes | None, value: bytes | None) -> Announcement | ShadowEnd | None:
    """The announcement in a record; None for an unknown key, or a served model without a value.

    Raises:
        RefusedModelError: ``MALFORMED``.
    """
    if key is None or (key not in _KINDS and key not in _SHADOWS):
        return None
    if value is None:
        return ShadowEnd(_SHADOWS[key]) if key in _SHADOWS else None
    fault, announcement = "", None
    what = f"the announcement for {key.decode()}"
    try:
        if len(value) > _BYTES_MAX:
            fault = f"{what} has {len(value)} bytes, more than {_BYTES_MAX}"
        else:
            announcement = msgspec.json.decode(value, type=Announcement)
            fault = _fault(announcement, key, what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = f"{what} does not decode ({str(error)[:_NAME_SHOWN_CHARACTERS]})"
    if fault:
        command = "shadow" if key in _SHADOWS else "promote"
        raise RefusedModelError(
            RefusalReason.MALFORMED,
            f"{fault}: announce the model again by `stream-trainer models {command}`",
        )
    return announcement


def _fault(announcement: Announcement, key: bytes, what: str) -> str:
    """What no publisher writes, though it decodes; empty if there is nothing."""
    for field in ("name", "version"):
        if fault := name_fault(getattr(announcement, field)):
            return f"the {field} of {what} {fault}"
    if announcement_key(announcement) != key:
        return (
            f"an announcement with the key {key.decode()} is for kind {announcement.kind}, to "
            f"{announcement.role}"
        )
    if announcement.role == "shadow" and announcement.share is None:
        return f"{what} names no share"
    return ""
