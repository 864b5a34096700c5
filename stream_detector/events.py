"""The nouns that cross module boundaries: records, events, verdicts, outcomes, labels.

All are frozen. Times are timezone-aware UTC datetimes; scores are calibrated probabilities
in 0..1. ``gc=False`` spares the garbage collector these many small objects, none of which can be
part of a reference cycle.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Meta

Kind = Literal["url", "host"]
"""A full URL, or only a host name (DNS, TLS SNI, CONNECT)."""

Observed = tuple[Kind, str]
"""A URL or host name as it stands in a log."""

_Probability = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=0)]
_Time = Annotated[datetime, Meta(tz=True)]

VerdictName = Literal["malicious", "suspicious", "benign"]
LabelName = Literal["malicious", "benign"]
LabelWord = Literal["malicious", "benign", "retracted"]
"""``retracted`` takes back an earlier label of the same text by the same analyst or feed."""


class RejectReason(StrEnum):
    """Why a record or one of its lines became a dead letter. A closed list."""

    EMPTY = "empty"
    """No value (a tombstone), or nothing but white space."""
    TOO_LARGE = "too_large"
    """More bytes than a log record may have."""
    TOO_MANY = "too_many"
    """More lines than a record may have, or more URLs and hosts."""
    NOT_UTF8 = "not_utf8"
    """Not valid UTF-8, or binary (NUL bytes)."""
    UNKNOWN_FORMAT = "unknown_format"
    """No log format recognises the line."""
    SCHEMA_NEEDED = "schema_needed"
    """In a schema registry's wire format, and not JSON."""
    MALFORMED = "malformed"
    """The format is known, but the line does not follow it (broken JSON, missing columns)."""
    WRONG_TYPE = "wrong_type"
    """A field has a type that its format does not allow."""
    NO_URL = "no_url"
    """A well-formed line that should name a URL or host and does not."""
    INVALID_URL = "invalid_url"
    """The WHATWG parser refuses the URL, or it has no host."""
    INVALID_HOST = "invalid_host"
    """Not a host name or IP address."""
    TOO_LONG = "too_long"
    """A URL or host name longer than 64 KiB."""
    MODEL_ERROR = "model_error"
    """The model raises on this text, and scores others."""


class RawRecord(Protocol):
    """What the core needs of a Kafka record; aiokafka's ``ConsumerRecord`` fits."""

    @property
    def offset(self) -> int:
        """Offset within the partition."""

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch, from the broker."""

    @property
    def key(self) -> bytes | None:
        """The key."""

    @property
    def value(self) -> bytes | None:
        """The value; None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values."""


class UnreadRecord(NamedTuple):
    """Stands for records whose batch is too large or damaged to be read."""

    offset: int
    """Of the last of these records."""
    timestamp: int | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    records: int = 1
    """How many, up to ``offset``."""


class Chunk(NamedTuple):
    """Consecutive records of one partition from one fetch, in order of offset."""

    topic: str
    partition: int
    records: Sequence[RawRecord]


class UrlEvent(msgspec.Struct, frozen=True, gc=False):
    """One URL or host name seen in a log line, before any normalisation."""

    kind: Kind
    observed: str
    client: str | None = None
    """The client's address or name from the log."""
    time: datetime | None = None
    log_id: str | None = None
    """The log's own identifier of the event (Zeek ``uid``, Suricata ``flow_id``, JSON ``id``)."""
    unwrapped: tuple[str, ...] = ()
    """Envelopes and headers around the log line, the outermost first (``message``, ``syslog``)."""


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A line that names no event although it should."""

    reason: RejectReason
    detail: str
    """The fault in words; quotes at most a few words of the input."""


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A well-formed line of a type that names no URL (a header, a flow event)."""

    what: str


class Canonical(msgspec.Struct, frozen=True, gc=False):
    """The one canonical form of a URL or host name, the same for training and serving."""

    kind: Kind
    text: str
    """ASCII; the model's input."""
    host: str
    """ASCII (punycode) host name, or IP address; IPv6 in brackets."""
    registered_domain: str
    """Public suffix plus one label; the host itself for addresses and bare suffixes."""
    notes: tuple[str, ...] = ()
    """Dropped parts that may interest an analyst: ``userinfo``, ``fragment``..."""


class ModelRef(msgspec.Struct, frozen=True, gc=False):
    """Identifies a model."""

    name: str
    version: str
    sha256: str

    @property
    def short(self) -> str:
        """The first characters of the sha256, enough to identify a model."""
        return self.sha256[:12]


class Thresholds(msgspec.Struct, frozen=True, gc=False):
    """Scores at or above which a verdict is ``suspicious`` or ``malicious``."""

    suspicious: float
    malicious: float


class SourcePosition(msgspec.Struct, frozen=True, gc=False):
    """The place of an event in Kafka; ``index`` counts the events of one record from 0."""

    topic: str
    partition: int
    offset: int
    index: int


class Sighting(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The fields of a verdict that belong to one event."""

    id: str
    event_time: datetime | None
    detected_at: datetime
    source: SourcePosition
    format: str
    client: str | None
    log_id: str | None
    unwrapped: tuple[str, ...] = ()
    """As ``UrlEvent.unwrapped``."""


Labels = tuple[Kind, VerdictName, str, str]
"""Metric labels of a verdict: kind, verdict, the model's name, reason."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The verdict on one URL or host name, shared by all its events.

    ``written`` and ``masked`` are a cache: most texts repeat, and each is encoded and masked once.
    ``wire`` and ``privacy`` fill them; nothing else writes to a frozen struct.
    """

    observed: str
    """The log's text, with user names and passwords masked."""
    canonical: Canonical
    """The scored text, with user names and passwords of URLs in its path or query masked."""
    score: float | None
    """Calibrated probability; None where a list decided without the model."""
    verdict: VerdictName
    reason: str
    """``model``, ``allow_list`` or ``deny_list``."""
    thresholds: Thresholds
    model: ModelRef
    """The model that scored, or would have."""
    labels: Labels
    """Decisions with equal labels share one tuple."""
    written: tuple[bytes, bytes] | None = None
    """The key of a verdict and this decision's share of its JSON, cached by ``wire``."""
    masked: "Decision | None" = None
    """The decision with its query masked, cached by ``privacy``."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The verdict on one event. Schema: ``data/schemas/url-verdict.json``."""

    sighting: Sighting
    decision: Decision


class Alert(msgspec.Struct, frozen=True, gc=False):
    """The verdict that opened an alert window, and the count of the window before."""

    verdict: Verdict
    folded: int
    """Malicious verdicts of the same key that gave no alert in the previous window."""
    window_seconds: float


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """A record that could not become verdicts, with its bytes; ``withheld`` parts are masked."""

    key: bytes | None
    value: bytes | None
    reason: RejectReason
    detail: str
    source: SourcePosition
    """``index`` counts the line at fault."""
    record_time: int | None
    """The record's own timestamp, milliseconds since the epoch."""
    withheld: Sequence[str] = ()
    """The parts masked in key and value: ``clients``, ``queries``, ``credentials``; ``contents``
    where they were not read."""
    format: str = ""
    """Format of the line at fault; empty where none recognised it."""
    replay_of: bytes = b""
    """Position of the dead letter that the record replays; empty if it is no replay."""
    key_cut_from: int = 0
    """Original bytes of a key that is cut; 0 where it is whole."""
    value_cut_from: int = 0
    """Original bytes of a value that is cut; 0 where it is whole."""


class Opinion(msgspec.Struct, frozen=True, gc=False):
    """One model's verdict on a text."""

    model: ModelRef
    thresholds: Thresholds
    """Those in force: the bundle's own, or the settings' overrides."""
    score: _Probability
    verdict: VerdictName


class Disagreement(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="disagreement"):
    """A text on which the two models' verdicts differ."""

    id: str
    """Id of the verdict on the event at ``source``."""
    compared_at: _Time
    kind: Kind
    canonical: str
    host: str
    registered_domain: str
    served: Opinion
    shadow: Opinion
    source: SourcePosition
    """Place of the batch's first event with this text."""


class VerdictPair(msgspec.Struct, frozen=True, gc=False):
    """How many texts got these two verdicts."""

    served: VerdictName
    shadow: VerdictName
    texts: Annotated[int, Meta(gt=0)]


class ScoreDifference(msgspec.Struct, frozen=True, gc=False):
    """The shadow's score minus the served model's, over the counted texts."""

    mean: Annotated[float, Meta(ge=-1, le=1)]
    mean_absolute: _Probability
    max_absolute: _Probability


class Counts(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="counts"):
    """The texts of one kind that were compared in one batch."""

    id: str
    """``cluster:topic:partition:offset`` of the batch's first record, and the kind; behind the
    offset ``:index`` where the batch begins within a record."""
    compared_at: _Time
    kind: Kind
    served: ModelRef
    shadow: ModelRef
    share: Annotated[float, Meta(gt=0, le=1)]
    texts: Annotated[int, Meta(gt=0)]
    passed_over: _Count
    """Texts of the share that a slow shadow did not score."""
    verdicts: tuple[VerdictPair, ...]
    """Each pair of verdicts that occurred, equal ones too."""
    score_difference: ScoreDifference


Comparison = Disagreement | Counts


class Outcomes(NamedTuple):
    """The outputs for a batch of chunks, each list in order of input."""

    verdicts: list[Verdict]
    alerts: list[Alert]
    dead_letters: list[DeadLetter]
    comparisons: Sequence[Comparison] = ()
    """In no order."""


class Label(msgspec.Struct, frozen=True, gc=False):
    """What an analyst or a feed says of a URL or host name.

    Schema: ``data/schemas/url-label.json``, which ``labels.make_label`` and ``labels.read_label``
    keep.
    """

    url: str
    """A URL or host name as the analyst or feed wrote it."""
    canonical: Canonical
    """Labels with one canonical text are about the same URL or host."""
    label: LabelWord
    source: str
    """The system that the label comes from."""
    labeled_at: datetime
    analyst: str | None = None
    """None where only a feed labelled it."""
    feed: str | None = None
    confidence: float | None = None
    """0 to 1; None where the label does not say it."""
