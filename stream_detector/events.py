"""The nouns that cross module boundaries: records, events, verdicts, alerts, dead letters, labels.

All are frozen. Times are timezone-aware UTC datetimes; scores are calibrated probabilities
in 0..1. ``gc=False`` keeps these many small objects out of the garbage collector's sight:
none of them can be part of a reference cycle.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Meta

Kind = Literal["url", "host"]
"""What was observed: a full URL, or a host name alone (DNS, TLS SNI, CONNECT)."""

Observed = tuple[Kind, str]
"""A URL or host name as a log has it."""

_Probability = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=0)]
_Time = Annotated[datetime, Meta(tz=True)]

VerdictName = Literal["malicious", "suspicious", "benign"]
LabelName = Literal["malicious", "benign"]
LabelWord = Literal["malicious", "benign", "retracted"]
"""What a label says; ``retracted`` takes back what the same voice said of the same text before."""


class RejectReason(StrEnum):
    """Why a record, or a line of one, became a dead letter. A closed list."""

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
    """A field is there with a type that it cannot have."""
    NO_URL = "no_url"
    """A well-formed line that should name a URL or host and does not."""
    INVALID_URL = "invalid_url"
    """The WHATWG parser refuses the URL, or it has no host."""
    INVALID_HOST = "invalid_host"
    """Not a host name or IP address."""
    TOO_LONG = "too_long"
    """A URL or host name longer than 64 KiB."""
    MODEL_ERROR = "model_error"
    """The model raised on this text alone."""


class RawRecord(Protocol):
    """What the core needs of a Kafka record; aiokafka's ``ConsumerRecord`` fits as it is."""

    @property
    def offset(self) -> int:
        """Offset within the partition."""
        ...

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since the epoch, as the broker has it."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key as read."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value as read; None for a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values."""
        ...


class UnreadRecord(NamedTuple):
    """A record that was not read, since its batch is too large or damaged. Its place is known."""

    offset: int
    """Of several records that come as one, that of the last."""
    timestamp: int | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    records: int = 1
    """How many records it stands for: those up to ``offset``."""


class Chunk(NamedTuple):
    """Consecutive records of one partition, as one fetch gave them, in order of offset."""

    topic: str
    partition: int
    records: Sequence[RawRecord]


class UrlEvent(msgspec.Struct, frozen=True, gc=False):
    """One URL or host name seen in a log line, before any normalisation."""

    kind: Kind
    observed: str
    client: str | None = None
    """The client's address or name, as the log has it."""
    time: datetime | None = None
    log_id: str | None = None
    """The log's own identifier of the event (Zeek ``uid``, Suricata ``flow_id``, JSON ``id``)."""
    unwrapped: tuple[str, ...] = ()
    """Envelopes and headers around the log line, the outermost first (``message``, ``syslog``)."""


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A line that should have given an event and could not."""

    reason: RejectReason
    detail: str
    """What was wrong, for a person; never more than a few words of the input."""


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A well-formed line that by its nature names no URL (a header, a flow event)."""

    what: str


class Canonical(msgspec.Struct, frozen=True, gc=False):
    """The one canonical form of a URL or host name, the same for training and serving."""

    kind: Kind
    text: str
    """ASCII; what the model reads."""
    host: str
    """ASCII (punycode) host name, or IP address; IPv6 in brackets."""
    registered_domain: str
    """Public suffix plus one label; the host itself for addresses and bare suffixes."""
    notes: tuple[str, ...] = ()
    """What was dropped or undone and may interest an analyst: ``userinfo``, ``fragment``..."""


class ModelRef(msgspec.Struct, frozen=True, gc=False):
    """Which model scored."""

    name: str
    version: str
    sha256: str

    @property
    def short(self) -> str:
        """The first characters of the sha256: enough to tell models apart, and to name one by."""
        return self.sha256[:12]


class Thresholds(msgspec.Struct, frozen=True, gc=False):
    """Scores at or above which a verdict is ``suspicious`` or ``malicious``."""

    suspicious: float
    malicious: float


class SourcePosition(msgspec.Struct, frozen=True, gc=False):
    """Where in Kafka the event came from; ``index`` counts the events of one record from 0."""

    topic: str
    partition: int
    offset: int
    index: int


class Sighting(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An event and where it was seen: what is its own in the verdict on it."""

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
"""What verdicts are counted by: kind, verdict, the model's name, reason."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The verdict on one URL or host name, wherever and however often it is seen.

    ``written`` and ``masked`` are a cache: most texts are seen again and again, and each is encoded
    and masked once. ``wire`` and ``privacy`` fill them; nothing else writes to a frozen struct.
    """

    observed: str
    """As the log has it, but for user names and passwords."""
    canonical: Canonical
    """What was judged, but for those in URLs inside its path or query."""
    score: float | None
    """Calibrated probability; None where a list decided without the model."""
    verdict: VerdictName
    reason: str
    """``model``, ``allow_list`` or ``deny_list``."""
    thresholds: Thresholds
    model: ModelRef
    """The model that scored, or would have."""
    labels: Labels
    """One and the same tuple for all decisions alike."""
    written: tuple[bytes, bytes] | None = None
    """Key and share of the JSON of each verdict, kept here once ``wire`` has written them."""
    masked: "Decision | None" = None
    """With its query masked, kept here once ``privacy`` has done so."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the detector says of one event. Schema: ``data/schemas/url-verdict.json``."""

    sighting: Sighting
    decision: Decision


class Alert(msgspec.Struct, frozen=True, gc=False):
    """One alert: the verdict that opened its window, and what the window before folded in."""

    verdict: Verdict
    folded: int
    """Malicious verdicts of the same key that the previous window held back."""
    window_seconds: float


class DeadLetter(msgspec.Struct, frozen=True, gc=False):
    """A record that could not become verdicts, with its bytes as they were read.

    But for what ``withheld`` names, and for what is cut.
    """

    key: bytes | None
    value: bytes | None
    reason: RejectReason
    detail: str
    source: SourcePosition
    """``index`` is that of the line at fault."""
    record_time: int | None
    """The record's own timestamp, milliseconds since the epoch."""
    withheld: Sequence[str] = ()
    """What was taken out of key and value: ``clients``, ``queries``, ``credentials``; ``contents``
    where they were not read."""
    format: str = ""
    """Of the line at fault; empty where no format recognised it."""
    replay_of: bytes = b""
    """Where the dead letter lies that the record is a replay of; empty if it is none."""
    key_cut_from: int = 0
    """Bytes of the key that was read, where it is cut; 0 where it is whole."""
    value_cut_from: int = 0
    """Bytes of the value that was read, where it is cut; 0 where it is whole."""


class Opinion(msgspec.Struct, frozen=True, gc=False):
    """What one model says of a text."""

    model: ModelRef
    thresholds: Thresholds
    """Those in force: the bundle's own, with the settings' overrides put in."""
    score: _Probability
    verdict: VerdictName


class Disagreement(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="disagreement"):
    """A text on which the two models' verdicts differ."""

    id: str
    """Of the verdict on the event below."""
    compared_at: _Time
    kind: Kind
    canonical: str
    host: str
    registered_domain: str
    served: Opinion
    shadow: Opinion
    source: SourcePosition
    """Of the first event of the batch with this text."""


class VerdictPair(msgspec.Struct, frozen=True, gc=False):
    """How many texts got these two verdicts."""

    served: VerdictName
    shadow: VerdictName
    texts: Annotated[int, Meta(gt=0)]


class ScoreDifference(msgspec.Struct, frozen=True, gc=False):
    """The shadow's score less that of the model that serves, over the texts counted."""

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
    """Texts of the share that were not compared, since the shadow was too slow."""
    verdicts: tuple[VerdictPair, ...]
    """Each pair of verdicts that occurred, those that agree too."""
    score_difference: ScoreDifference


Comparison = Disagreement | Counts


class Outcomes(NamedTuple):
    """What a batch of chunks became, each list in order of input."""

    verdicts: list[Verdict]
    alerts: list[Alert]
    dead_letters: list[DeadLetter]
    comparisons: Sequence[Comparison] = ()
    """Of shadow models with those that serve; in no order."""


class Label(msgspec.Struct, frozen=True, gc=False):
    """What an analyst or a feed says of a URL or host name.

    Schema: ``data/schemas/url-label.json``. ``labels.make_label`` and ``labels.read_label`` make
    none that breaks it.
    """

    url: str
    """A URL or host name as it was given."""
    canonical: Canonical
    """What the label is about: labels of one canonical text are about the same."""
    label: LabelWord
    source: str
    """Which system the label comes from."""
    labeled_at: datetime
    analyst: str | None = None
    """Who labelled it; None where only a feed did."""
    feed: str | None = None
    confidence: float | None = None
    """How sure they are, 0 to 1; None where they do not say."""
