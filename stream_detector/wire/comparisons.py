"""What a shadow model and the one that serves say of the same texts, as it lies in ``url-shadow``.

Schema: ``data/schemas/url-shadow.json``. There are two types of record:

- a ``disagreement`` for each text on which the two verdicts differ;
- ``counts`` for each batch and kind in which texts were compared, those that agree too: without
  them nobody could say how often the models disagree.

How often a text is counted: once by each worker that meets it, again when a worker has forgotten
its score (a restart, a full memory, another model), and never for its repetitions. How a replay is
counted: the id of ``counts`` is made of the first record of its batch. Batches follow one another
without a gap from the committed offset on, so a batch that is replayed after a crash mostly begins
where it did before, has the same id, and takes the place of what was counted then. Where it does
not, the records that two batches share are counted twice. A disagreement has the id of a verdict on
its text, and what is said last of a text is what counts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from stream_detector.errors import RecordError
from stream_detector.events import Kind, ModelRef, SourcePosition, Thresholds, VerdictName

__all__ = [
    "Comparison",
    "Counts",
    "Disagreement",
    "Opinion",
    "ScoreDifference",
    "VerdictPair",
    "comparison_key",
    "encode_comparison",
    "pairs_of",
    "read_comparison",
]

_Score = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=0)]
_Time = Annotated[datetime, Meta(tz=True)]
_DETAIL_CHARACTERS = 200


class Opinion(msgspec.Struct, frozen=True, gc=False):
    """What one model says of a text."""

    model: ModelRef
    thresholds: Thresholds
    """Those in force: the bundle's own, with the settings' overrides put in."""
    score: _Score
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
    mean_absolute: _Score
    max_absolute: _Score


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

_encode_json = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Comparison] = msgspec.json.Decoder(Disagreement | Counts)


def comparison_key(comparison: Comparison) -> bytes:
    """The key in the topic: the registered domain of a text, ``counts/`` and the kind of counts."""
    if isinstance(comparison, Disagreement):
        return comparison.registered_domain.encode()
    return f"counts/{comparison.kind}".encode()


def encode_comparison(comparison: Comparison) -> bytes:
    """The value in the topic, JSON."""
    return _encode_json(comparison)


def read_comparison(value: bytes | None) -> Comparison:
    """What a record of the topic says.

    Raises:
        RecordError: it is no comparison.
    """
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"no comparison: {str(error)[:_DETAIL_CHARACTERS]}") from error


def pairs_of(counted: Mapping[tuple[VerdictName, VerdictName], int]) -> tuple[VerdictPair, ...]:
    """Counts by (served, shadow) verdict, in the order of their names."""
    return tuple(VerdictPair(*pair, texts) for pair, texts in sorted(counted.items()))
