"""Shadow models: they score a share of what the served models score, and decide nothing.

Knows nothing of Kafka nor of where models come from. A shadow never costs or changes a verdict and
delays none by much: any exception ends it, and each batch gives it about a second.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_detector.events import (
    Comparison,
    Counts,
    Disagreement,
    Kind,
    ModelRef,
    Opinion,
    ScoreDifference,
    Thresholds,
    Verdict,
    VerdictName,
    VerdictPair,
)
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.models.thresholds import Overrides, effective_thresholds, verdict_for
from stream_detector.privacy.urls import without_nested_credentials

logger = logging.getLogger(__name__)

_SLICE_TEXTS = 1024
"""Scored at once: as many as the largest group of rows that a model is compiled for."""
_SECONDS_MAX = 1.0
"""After this time in one batch the shadow passes over the rest of its share. A shadow may be far
slower than the served model, and verdicts wait for it."""
_FAULT_CHARACTERS = 300
_HASH_BYTES = 4
_HASHES = 2**32


class ShadowModel(Protocol):
    """A warm model, such as ``models.scorer.Network``."""

    @property
    def served(self) -> ServedModel:
        """Its name and its own thresholds."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities that ``texts`` are malicious, shape ``[len(texts)]``."""
        ...


class Compared(NamedTuple):
    """The opinions of two models on the new texts of one kind in one batch."""

    kind: Kind
    served: ModelRef
    shadow: ModelRef
    share: float
    texts: int
    passed_over: int
    verdicts: Mapping[tuple[VerdictName, VerdictName], int]
    """Texts by served verdict and shadow verdict."""
    score_difference: ScoreDifference
    disagreements: Mapping[str, tuple[Opinion, Opinion]]
    """Served and shadow opinion of each canonical text whose verdicts differ."""


class _Shadow(NamedTuple):
    announcement: Announcement
    model: ShadowModel
    thresholds: Thresholds
    """Those in force."""
    share: float


def is_sampled(text: str, share: float) -> bool:
    """Whether a canonical text is in the ``share`` (0..1) of texts that a shadow scores.

    The answer is the same in every worker at any time. A larger share includes a smaller one.
    """
    # CRC-32 would take all or none of a group of URLs that differ in one digit.
    hashed = blake2b(text.encode(), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(hashed) < share * _HASHES


class Shadows:
    """At most one shadow a kind.

    ``running`` and ``failed`` may be called from any thread, all else from the scorer's thread.
    """

    def __init__(
        self,
        *,
        overrides: Overrides,
        metrics: Metrics,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """``overrides`` of thresholds, by kind; ``clock`` in seconds."""
        self._overrides = overrides
        self._metrics = metrics
        self._clock = clock
        self._shadows: dict[Kind, _Shadow] = {}
        self._failed: dict[Kind, Announcement] = {}

    def running(self, kind: Kind) -> Announcement | None:
        """The announcement of the shadow of ``kind``."""
        shadow = self._shadows.get(kind)
        return shadow and shadow.announcement

    def failed(self, kind: Kind) -> Announcement | None:
        """The last shadow of ``kind`` that was dropped because of an error."""
        return self._failed.get(kind)

    def start(self, announcement: Announcement, model: ShadowModel) -> None:
        """Compare ``model`` from the next batch on; it replaces the shadow before it.

        Raises:
            SettingsError: its thresholds contradict those set.
        """
        kind = announcement.kind
        thresholds = effective_thresholds(kind, model.served.thresholds, self._overrides[kind])
        self.end(kind)
        share = announcement.share or 0.0
        self._shadows[kind] = _Shadow(announcement, model, thresholds, share)
        self._metrics.show_shadow(kind, model.served.ref)

    def end(self, kind: Kind) -> bool:
        """End the shadow of ``kind``; returns whether there was one."""
        shadow = self._shadows.pop(kind, None)
        if shadow is None:
            return False
        ref = shadow.model.served.ref
        self._metrics.hide_shadow(kind, ref)
        logger.info("shadow ended: %s model %s %s (%s)", kind, ref.name, ref.version, ref.short)
        return True

    def drop_all(self, fault: str) -> None:
        """End all shadows because of an error that no single model caused."""
        for kind in list(self._shadows):
            self._drop(kind, fault)

    def compare(
        self,
        kind: Kind,
        served: ServedModel,
        thresholds: Thresholds,
        scores: Mapping[str, float],
    ) -> Compared | None:
        """Let the shadow of ``kind`` score its share of texts; never raises.

        Args:
            kind: of the texts.
            served: the model that scored them.
            thresholds: those in force for it.
            scores: by canonical text; NaN where the served model gave none.

        Returns:
            None where there is no shadow, or no text in its share.
        """
        shadow = self._shadows.get(kind)
        # A shadow that serves by now waits until it is ended: it would agree with itself.
        if shadow is None or shadow.model.served.ref.sha256 == served.ref.sha256:
            return None
        started = self._clock()
        try:
            compared = self._compared_with(shadow, served.ref, thresholds, scores)
        except Exception as error:  # noqa: BLE001 - whatever it is, verdicts go on
            self._drop(kind, f"{type(error).__name__}: {error}")
            return None
        if compared is not None:
            self._metrics.shadow_texts.labels(kind).inc(compared.texts)
            self._metrics.shadow_passed_over.labels(kind).inc(compared.passed_over)
            for (verdict, other), texts in compared.verdicts.items():
                if verdict != other:
                    self._metrics.shadow_disagreements.labels(kind, verdict, other).inc(texts)
            self._metrics.stage_seconds.labels("shadow").observe(self._clock() - started)
        return compared

    def _compared_with(
        self,
        shadow: _Shadow,
        served: ModelRef,
        thresholds: Thresholds,
        scores: Mapping[str, float],
    ) -> Compared | None:
        texts = [
            text
            for text, score in scores.items()
            if not math.isnan(score) and is_sampled(text, shadow.share)
        ]
        if not texts:
            return None
        shadow_scores = self._scores(shadow.model, texts)
        passed_over = len(texts) - len(shadow_scores)
        texts = texts[: len(shadow_scores)]
        served_scores = [scores[text] for text in texts]
        verdicts: Counter[tuple[VerdictName, VerdictName]] = Counter()
        disagreements: dict[str, tuple[Opinion, Opinion]] = {}
        ref = shadow.model.served.ref
        for text, score, shadow_score in zip(texts, served_scores, shadow_scores, strict=True):
            verdict = verdict_for(score, thresholds)
            shadow_verdict = verdict_for(shadow_score, shadow.thresholds)
            verdicts[verdict, shadow_verdict] += 1
            if verdict != shadow_verdict:
                disagreements[text] = (
                    Opinion(served, thresholds, score, verdict),
                    Opinion(ref, shadow.thresholds, shadow_score, shadow_verdict),
                )
        difference = np.subtract(shadow_scores, served_scores)
        return Compared(
            shadow.announcement.kind,
            served,
            ref,
            shadow.share,
            len(texts),
            passed_over,
            verdicts,
            ScoreDifference(
                mean=float(difference.mean()),
                mean_absolute=float(np.abs(difference).mean()),
                max_absolute=float(np.abs(difference).max()),
            ),
            disagreements,
        )

    def _scores(self, model: ShadowModel, texts: Sequence[str]) -> list[float]:
        """The scores of as many of ``texts`` as there is time for, the first slice in any case.

        Raises:
            ValueError: the model gives a text no probability.
        """
        scores: list[float] = []
        started = self._clock()
        for start in range(0, len(texts), _SLICE_TEXTS):
            if start and self._clock() - started > _SECONDS_MAX:
                break
            some = texts[start : start + _SLICE_TEXTS]
            found = model.score(some).tolist()
            if len(found) != len(some):
                raise ValueError(f"it gives {len(found)} scores for {len(some)} texts")
            for text, score in zip(some, found, strict=True):
                if not 0.0 <= score <= 1.0:
                    raise ValueError(f"its score of {text[: _FAULT_CHARACTERS // 3]!r} is {score}")
            scores += found
        return scores

    def _drop(self, kind: Kind, fault: str) -> None:
        announcement, model, *_ = self._shadows[kind]
        # First: a thread that sees neither of the two would load it again.
        self._failed[kind] = announcement
        del self._shadows[kind]
        self._metrics.hide_shadow(kind, model.served.ref)
        self._metrics.shadow_errors.labels(kind).inc()
        logger.warning(
            "shadow dropped, verdicts go on as before: %s model %s %s (%s): %s",
            kind,
            announcement.name,
            announcement.version,
            announcement.ref.short,
            " ".join(fault.split())[:_FAULT_CHARACTERS],
        )


def comparison_records(
    compared: Sequence[Compared], verdicts: Sequence[Verdict], *, batch_id: str
) -> list[Comparison]:
    """The records for ``url-shadow``: the counts, and each text that two models disagree on.

    ``batch_id`` names the batch by its first record, ``verdicts`` are those of the batch.
    """
    if not compared:
        return []
    compared_at = verdicts[0].sighting.detected_at
    counts = (
        Counts(
            f"{batch_id}:{each.kind}",
            compared_at,
            each.kind,
            each.served,
            each.shadow,
            each.share,
            each.texts,
            each.passed_over,
            tuple(VerdictPair(*pair, texts) for pair, texts in sorted(each.verdicts.items())),
            each.score_difference,
        )
        for each in compared
    )
    return [*counts, *_disagreements(compared, verdicts)]


def _disagreements(
    compared: Sequence[Compared], verdicts: Sequence[Verdict]
) -> Iterator[Disagreement]:
    """Each text that two models disagree on, with the first event of the batch that has it."""
    differing = {
        # As the decider wrote it into the verdict.
        (each.kind, without_nested_credentials(text)): opinions
        for each in compared
        for text, opinions in each.disagreements.items()
    }
    for verdict in verdicts:
        if not differing:
            return
        sighting, canonical = verdict.sighting, verdict.decision.canonical
        opinions = differing.pop((canonical.kind, canonical.text), None)
        if opinions is not None:
            yield Disagreement(
                sighting.id,
                sighting.detected_at,
                canonical.kind,
                canonical.text,
                canonical.host,
                canonical.registered_domain,
                *opinions,
                sighting.source,
            )
