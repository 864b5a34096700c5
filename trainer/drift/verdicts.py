"""Verdicts as arrays: of each the few bytes that comparing distributions needs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind, ModelRef, VerdictName
from stream_detector.models.reference import BINS, measured

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a clock that was never set begins."""
_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""Some time before the last valid date: the end of a window is reckoned from a verdict's time."""

Rows = NDArray[np.void]
"""Verdicts by one model, a row each, with the fields of ``_row_type``."""


class _Source(msgspec.Struct, gc=False):
    topic: str


class _Verdict(msgspec.Struct, gc=False):
    """The fields in use of a verdict; schema: ``data/schemas/url-verdict.json``."""

    canonical: str
    kind: Kind
    registered_domain: str
    score: float | None
    verdict: VerdictName
    reason: str
    model: ModelRef
    source: _Source
    detected_at: datetime


class ModelKey(NamedTuple):
    """A model as verdicts name it, and what it scores."""

    kind: Kind
    ref: ModelRef


def _row_type(kind: Kind) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("detected_at", np.float64),  # Seconds since the epoch.
            ("topic", np.int64),  # Of the input: a place in ``Verdicts.topics``.
            ("domain", np.int64),  # The registered one: a place in ``Verdicts.domains``.
            ("text", np.int64),  # The same number for the same canonical text of a topic.
            ("is_flagged", np.bool_),  # Malicious or suspicious.
            *((name, np.float32) for name in BINS[kind]),
        ]
    )


def first_of_text(rows: Rows) -> NDArray[np.bool_]:
    """Whether a row is the first one of its text."""
    is_first = np.zeros(len(rows), bool)
    is_first[np.unique(rows["text"], return_index=True)[1]] = True
    return is_first


class Verdicts:
    """Verdicts that were read, by model. Those that a list decided are only counted."""

    def __init__(self) -> None:
        self.by_list = 0
        self.malformed = 0
        """Records that are no verdicts, or have a score or time that no worker writes."""
        self.latest = float("-inf")
        """Seconds since the epoch, of the detection that came last."""
        self.topics: dict[str, int] = {}
        """Numbers of the input topics, rising."""
        self.domains: dict[str, int] = {}
        """The same of the registered domains."""
        self._parts: dict[ModelKey, list[Rows]] = {}
        self._decoder = msgspec.json.Decoder(_Verdict)

    def add(self, records: Iterable[bytes | None]) -> None:
        """Add records of the topic of verdicts: some thousands at a time are fastest."""
        scored: dict[ModelKey, list[_Verdict]] = {}
        for record in records:
            try:
                verdict = self._decoder.decode(record or b"")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.malformed += 1
                continue
            at = verdict.detected_at
            is_time = at.tzinfo is not None and _FIRST <= at < _LAST
            if not is_time or not 0 <= (verdict.score or 0) <= 1:
                self.malformed += 1
                continue
            self.latest = max(self.latest, at.timestamp())
            if verdict.score is None or verdict.reason != "model":
                self.by_list += 1
                continue
            scored.setdefault(ModelKey(verdict.kind, verdict.model), []).append(verdict)
        for key, verdicts in scored.items():
            self._parts.setdefault(key, []).append(self._rows(key.kind, verdicts))

    def models(self) -> dict[ModelKey, Rows]:
        """All verdicts of each model."""
        return {key: np.concatenate(parts) for key, parts in self._parts.items()}

    def _rows(self, kind: Kind, verdicts: Sequence[_Verdict]) -> Rows:
        topics, domains = self.topics, self.domains
        rows = np.empty(len(verdicts), _row_type(kind))
        rows["detected_at"] = [each.detected_at.timestamp() for each in verdicts]
        rows["topic"] = [topics.setdefault(each.source.topic, len(topics)) for each in verdicts]
        rows["domain"] = [
            domains.setdefault(each.registered_domain, len(domains)) for each in verdicts
        ]
        # A hash in the place of the text: millions of texts would not fit into memory.
        rows["text"] = [hash((each.source.topic, each.canonical)) for each in verdicts]
        rows["is_flagged"] = [each.verdict != "benign" for each in verdicts]
        scores = np.array([each.score for each in verdicts], np.float64)
        texts = [each.canonical for each in verdicts]
        for name, values in measured(kind, texts, scores).items():
            rows[name] = values
        return rows
