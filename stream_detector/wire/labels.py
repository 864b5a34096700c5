"""Reads, checks, writes and signs labels in Kafka. Schema: ``data/schemas/url-label.json``.

``canonical.kind_of`` decides whether a text is a URL or a host name. The key is the canonical text,
so that all labels of one text share a partition and keep their order.

Kafka does not show a consumer who wrote a record, and a topic's rights cover all its writers. Where
``label_keys`` names a public key for an analyst or feed, such a label counts only if its record has
a header ``signature``: Ed25519 over ``stream-detector label``, a zero byte, and the record's value.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import UNSET, Meta, UnsetType

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.errors import LabelError
from stream_detector.events import Canonical, Label, LabelWord, Rejected, RejectReason
from stream_detector.name_rules import NAME_CHARACTERS_MAX, name_fault
from stream_detector.privacy.urls import is_query_masked, observed_without_credentials
from stream_detector.sources.json_record import decode_part
from stream_detector.wire.outcomes import Message

SIGNATURE = "signature"
"""Name of the header."""
_WHAT = b"stream-detector label\0"
"""Begins the signed bytes: no signature of a manifest or announcement passes for a label's."""
_ANY = "*"

AHEAD_MAX = timedelta(days=1)
"""How far ``labeled_at`` may be ahead of the time of writing: the latest label of a text wins, so a
wrong clock would let one win for ever."""

_EMPTY = "no label; the label retracted takes one back"
"""A tombstone takes no label back, since it does not say whose."""

_DETAIL_CHARACTERS_MAX = 200
"""A detail becomes a header, and may quote the record."""

_Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
_Time = Annotated[datetime, Meta(tz=True)]
_Confidence = Annotated[float, Meta(ge=0, le=1)]


class _Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The JSON object. No field is required here: ``_checked`` names the missing ones together."""

    url: str | UnsetType = UNSET
    label: LabelWord | UnsetType = UNSET
    source: _Name | UnsetType = UNSET
    labeled_at: _Time | UnsetType = UNSET
    analyst: _Name | UnsetType = UNSET
    feed: _Name | UnsetType = UNSET
    confidence: _Confidence | UnsetType = UNSET


_decoder = msgspec.json.Decoder(_Record)
_encode_json = msgspec.json.Encoder().encode

_Given = TypeVar("_Given")


def read_label(value: bytes | None, *, written_at: datetime | None = None) -> Label | Rejected:
    """The label of a record, or its fault; never raises.

    Args:
        value: the record's value; None for a tombstone.
        written_at: the record's time, timezone-aware; None where it is unknown.
    """
    if not value or value.isspace():
        return Rejected(RejectReason.EMPTY, _EMPTY)
    record = decode_part(msgspec.Raw(value), _decoder)
    if isinstance(record, Rejected):
        return Rejected(record.reason, record.detail[:_DETAIL_CHARACTERS_MAX])
    label = _checked(record)
    if isinstance(label, Label) and written_at and label.labeled_at - written_at > AHEAD_MAX:
        return Rejected(RejectReason.MALFORMED, "labeled_at is later than it was written")
    return label


def make_label(
    url: str,
    label: LabelWord,
    *,
    source: str,
    labeled_at: datetime,
    analyst: str | None = None,
    feed: str | None = None,
    confidence: float | None = None,
) -> Label:
    """A label from its parts, checked as in ``read_label``; masks credentials in ``url``.

    Args:
        url: a URL or host name in any form.
        labeled_at: timezone-aware.
        confidence: 0 to 1.

    Raises:
        LabelError: a part is missing, too long or out of its range, or ``url`` is invalid or has a
            masked query.
    """
    if is_query_masked(url):
        raise LabelError("its query is masked: label it by --verdict-id, or give the original URL")
    given = {"analyst": analyst, "feed": feed, "confidence": confidence}
    try:
        record = msgspec.convert(
            {
                "url": url,
                "label": label,
                "source": source,
                "labeled_at": labeled_at,
                **{name: value for name, value in given.items() if value is not None},
            },
            _Record,
        )
    except msgspec.ValidationError as error:
        raise LabelError(str(error)) from error
    checked = _checked(record)
    if isinstance(checked, Rejected):
        raise LabelError(f"{checked.detail} ({checked.reason.value})")
    return checked


def is_feed(label: Label) -> bool:
    """Whether ``label`` has no analyst and so belongs into the topic of feeds."""
    return label.analyst is None


def label_message(label: Label) -> Message:
    """A label as a Kafka message: the canonical text as its key, one JSON object as its value."""
    record = {
        "url": label.url,
        "label": label.label,
        "source": label.source,
        "labeled_at": label.labeled_at,
        "analyst": label.analyst,
        "feed": label.feed,
        "confidence": label.confidence,
    }
    present = {name: value for name, value in record.items() if value is not None}
    return label.canonical.text.encode(), _encode_json(present), []


def _or_none(value: _Given | UnsetType) -> _Given | None:
    return None if isinstance(value, UnsetType) else value


def _checked(record: _Record) -> Label | Rejected:
    """The label of a record whose fields have valid types, or what is wrong across them."""
    url, label, source, labeled_at = record.url, record.label, record.source, record.labeled_at
    if (
        isinstance(url, UnsetType)
        or isinstance(label, UnsetType)
        or isinstance(source, UnsetType)
        or isinstance(labeled_at, UnsetType)
    ):
        missing = [
            name for name in ("url", "label", "source", "labeled_at") if _lacks(record, name)
        ]
        return Rejected(RejectReason.MALFORMED, f"a label needs {', '.join(missing)}")
    analyst, feed = _or_none(record.analyst), _or_none(record.feed)
    if fault := _fault_of_names(source, analyst, feed):
        return Rejected(RejectReason.MALFORMED, fault)
    try:
        # A command line can hold half a surrogate pair, which no UTF-8 and so no file can.
        "".join((url, source, analyst or "", feed or "")).encode()
    except UnicodeEncodeError:
        return Rejected(RejectReason.NOT_UTF8, "half a surrogate pair")
    try:
        labeled_at = labeled_at.astimezone(UTC)
    except OverflowError:
        return Rejected(RejectReason.MALFORMED, "labeled_at is outside the years 1 to 9999")
    canonical = canonicalise(kind_of(url), url)
    if isinstance(canonical, Canonical):
        url = observed_without_credentials(url, canonical)
        canonical = canonicalise(canonical.kind, url)
    if isinstance(canonical, Rejected):
        return canonical
    return Label(
        url, canonical, label, source, labeled_at, analyst, feed, _or_none(record.confidence)
    )


def _fault_of_names(source: str, analyst: str | None, feed: str | None) -> str | None:
    if analyst is None and feed is None:
        return "a label needs an analyst or a feed"
    for field, name in (("source", source), ("analyst", analyst), ("feed", feed)):
        if name is not None and (fault := name_fault(name)):
            return f"{field} {fault}"
    return None


def _lacks(record: _Record, name: str) -> bool:
    return getattr(record, name) is UNSET


def voice_of(label: Label) -> str:
    """The source of a label: ``analyst kim``, or ``feed urlhaus`` where there is no analyst."""
    return f"feed {label.feed}" if is_feed(label) else f"analyst {label.analyst}"


def label_signature(value: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of a label's record with ``value``, 64 bytes."""
    signature: bytes = key.sign(_WHAT + value)
    return signature


def is_signed(
    value: bytes | None, headers: Iterable[tuple[str, bytes]], key: Ed25519PublicKey
) -> bool:
    """Whether the private half of ``key`` signed the record."""
    signature = dict(headers).get(SIGNATURE)
    if signature is None:
        return False
    try:
        key.verify(signature, _WHAT + (value or b""))
    except InvalidSignature:
        return False
    return True


class LabelKeys:
    """Public keys by source of labels, such as ``analyst:kim`` or ``feed:*``."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = keys

    def of(self, label: Label) -> Ed25519PublicKey | None:
        """The key that must have signed ``label``; None where no signature is required."""
        part, name = ("feed", label.feed) if is_feed(label) else ("analyst", label.analyst)
        return self._keys.get(f"{part}:{name}") or self._keys.get(f"{part}:{_ANY}")
