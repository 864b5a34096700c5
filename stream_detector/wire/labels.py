"""Labels as they lie in Kafka: read, checked and written. Schema: ``data/schemas/url-label.json``.

Whether a text is a URL or a host name is seen from the text, as ``canonical.kind_of`` has it. The
key is the canonical text, so that all labels of one text share a partition and their order.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.errors import LabelError
from stream_detector.events import Canonical, Label, LabelWord, Rejected, RejectReason
from stream_detector.name_rules import NAME_CHARACTERS_MAX, name_fault
from stream_detector.privacy.urls import is_query_masked, observed_without_credentials
from stream_detector.sources.json_record import decode_part
from stream_detector.wire.outcomes import Message

AHEAD_MAX = timedelta(days=1)
"""Of ``labeled_at`` to the time of writing: by a clock that is wrong by more, a label would win
over all that follow."""

_EMPTY = "no label; one is taken back by the label retracted"
"""A record without a value does not say whose label it takes back, so it takes back none."""

_DETAIL_CHARACTERS_MAX = 200
"""Of what is wrong: it becomes a header, and may quote the record."""

_Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
_Time = Annotated[datetime, Meta(tz=True)]
_Confidence = Annotated[float, Meta(ge=0, le=1)]


class _Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The JSON object. Nothing is required here: a field that is missing is told apart below."""

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
    """The label that a record holds, or why it holds none; never raises.

    Args:
        value: the record's value; None for a tombstone.
        written_at: when the record was written, timezone-aware; None where it is not known.
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
    """A label made of its parts, checked as one that is read.

    Of ``url`` user names and passwords are masked.

    Args:
        url: a URL or host name in any form.
        labeled_at: timezone-aware.
        confidence: 0 to 1.

    Raises:
        LabelError: a part is missing, too long or out of its range, or ``url`` is no URL or host
            name, or one with its query masked, which nobody has ever seen.
    """
    if is_query_masked(url):
        raise LabelError("its query is masked: label it by --verdict-id, or give the URL as it was")
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
    """Whether no analyst stands behind ``label``: it belongs into the topic of feeds."""
    return label.analyst is None


def label_message(label: Label) -> Message:
    """A label as a Kafka message: the canonical text as its key, one JSON object as its value."""
    record = _Record(
        url=label.url,
        label=label.label,
        source=label.source,
        labeled_at=label.labeled_at,
        analyst=_or_unset(label.analyst),
        feed=_or_unset(label.feed),
        confidence=_or_unset(label.confidence),
    )
    return label.canonical.text.encode(), _encode_json(record), []


def _or_unset(value: _Given | None) -> _Given | UnsetType:
    return UNSET if value is None else value


def _or_none(value: _Given | UnsetType) -> _Given | None:
    return None if isinstance(value, UnsetType) else value


def _checked(record: _Record) -> Label | Rejected:
    """The label of a record whose fields, where they are there, have their types."""
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
