"""Verdicts as columns: what of each is needed to compare distributions, in few bytes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind, ModelRef, VerdictName
from stream_detector.models.reference import measured

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a clock that was never set begins."""
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


class _Model(msgspec.Struct, gc=False):
    name: str
    version: str
    sha256: str


class _Source(msgspec.Struct, gc=False):
    topic: str


class _Verdict(msgspec.Struct, gc=False):
    """What of a verdict is looked at; schema: ``data/schemas/url-verdict.json``."""

    canonical: str
    kind: Kind
    registered_domain: str
    score: float | None
    verdict: VerdictName
    reason: str
    model: _Model
    source: _Source
    detected_at: datetime


class ModelKey(NamedTuple):
    """A model as verdicts name it, and what it scores."""

    kind: Kind
    ref: ModelRef


class Columns(NamedTuple):
    """Verdicts by one model, row by row; all of shape ``[rows]``."""

    detected_at: NDArray[np.float64]
    """Seconds since the epoch."""
    topics: NDArray[np.int64]
    """Of the input, as places in ``Verdicts.topics``."""
    domains: NDArray[np.int64]
    """The registered ones, as places in ``Verdicts.domains``."""
    texts: NDArray[np.int64]
    """The same number for the same canonical text of the same topic."""
    is_flagged: NDArray[np.bool_]
    """Malicious or suspicious."""
    statistics: dict[str, NDArray[np.float32]]
    """See ``reference.BINS``."""

    def rows(self, chosen: NDArray[np.bool_]) -> "Columns":
        """Those rows alone."""
        return Columns(
            self.detected_at[chosen],
            self.topics[chosen],
            self.domains[chosen],
            self.texts[chosen],
            self.is_flagged[chosen],
            {name: values[chosen] for name, values in self.statistics.items()},
        )

    @property
    def row_count(self) -> int:
        """How many verdicts these are."""
        return len(self.detected_at)

    def is_first_of_text(self) -> NDArray[np.bool_]:
        """Whether a row is the first one of its text."""
        is_first = np.zeros(self.row_count, bool)
        is_first[np.unique(self.texts, return_index=True)[1]] = True
        return is_first


class Verdicts:
    """Verdicts that were read, by model. Those that a list decided are only counted."""

    def __init__(self) -> None:
        self.by_list = 0
        self.malformed = 0
        """Records that are no verdicts, or have a score or time that no worker writes."""
        self.latest = float("-inf")
        """Seconds since the epoch, of the detection that came last."""
        self._topics: dict[str, int] = {}
        self._domains: dict[str, int] = {}
        self._parts: dict[ModelKey, list[Columns]] = {}
        self._decoder = msgspec.json.Decoder(_Verdict)

    @property
    def topics(self) -> list[str]:
        """Input topics, in the order of their numbers."""
        return list(self._topics)

    @property
    def domains(self) -> list[str]:
        """Registered domains, in the order of their numbers."""
        return list(self._domains)

    @property
    def has_any(self) -> bool:
        """Whether a verdict was read."""
        return self.latest > float("-inf")

    def add(self, records: Iterable[bytes | None]) -> None:
        """Take in records of the topic of verdicts: some thousands at a time are fastest."""
        scored: dict[ModelKey, list[_Verdict]] = {}
        for record in records:
            try:
                verdict = self._decoder.decode(record or b"")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.malformed += 1
                continue
            # A score that is no probability, or such a time, no worker writes.
            if not _is_usable(verdict.detected_at) or not 0 <= (verdict.score or 0) <= 1:
                self.malformed += 1
                continue
            self.latest = max(self.latest, verdict.detected_at.timestamp())
            if verdict.score is None or verdict.reason != "model":
                self.by_list += 1
                continue
            model = verdict.model
            key = ModelKey(verdict.kind, ModelRef(model.name, model.version, model.sha256))
            scored.setdefault(key, []).append(verdict)
        for key, verdicts in scored.items():
            self._parts.setdefault(key, []).append(self._columns(key.kind, verdicts))

    def models(self) -> dict[ModelKey, Columns]:
        """All verdicts of each model."""
        return {key: joined(parts) for key, parts in self._parts.items()}

    def _columns(self, kind: Kind, verdicts: Sequence[_Verdict]) -> Columns:
        topics, domains = self._topics, self._domains
        texts = [verdict.canonical for verdict in verdicts]
        scores = np.array([verdict.score for verdict in verdicts], np.float64)
        return Columns(
            detected_at=np.array([verdict.detected_at.timestamp() for verdict in verdicts]),
            topics=np.array([topics.setdefault(v.source.topic, len(topics)) for v in verdicts]),
            domains=np.array(
                [domains.setdefault(v.registered_domain, len(domains)) for v in verdicts]
            ),
            texts=np.array([hash((v.source.topic, v.canonical)) for v in verdicts], np.int64),
            is_flagged=np.array([verdict.verdict != "benign" for verdict in verdicts]),
            statistics={
                name: values.astype(np.float32)
                for name, values in measured(kind, texts, scores).items()
            },
        )


def _is_usable(detected_at: datetime) -> bool:
    """Whether it has a time zone, and windows before it and a moment after it are valid times."""
    return detected_at.tzinfo is not None and _FIRST <= detected_at < _LAST


def joined(parts: Sequence[Columns]) -> Columns:
    """All rows of ``parts``, of one kind and at least one."""
    return Columns(
        np.concatenate([part.detected_at for part in parts]),
        np.concatenate([part.topics for part in parts]),
        np.concatenate([part.domains for part in parts]),
        np.concatenate([part.texts for part in parts]),
        np.concatenate([part.is_flagged for part in parts]),
        {
            name: np.concatenate([part.statistics[name] for part in parts])
            for name in parts[0].statistics
        },
    )
