"""From observed URLs and host names to decisions: canonical form, lists, memory, model.

The hot path is one dict lookup, since most texts repeat. The model scores the others, all texts of
one kind in one call.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple, cast

import msgspec

from stream_detector.canonical import canonicalise
from stream_detector.errors import ModelError, ScoringError
from stream_detector.events import (
    Canonical,
    Decision,
    Kind,
    Labels,
    ModelRef,
    Observed,
    Rejected,
    RejectReason,
    Thresholds,
    VerdictName,
)
from stream_detector.limits import CANONICAL_CHARACTERS_MAX, REMEMBERED_CHARACTERS_MAX
from stream_detector.metrics import Metrics
from stream_detector.models.base import CANARIES, ServedModel, TextScorer
from stream_detector.models.thresholds import Overrides, effective_thresholds, verdict_for
from stream_detector.policy.lists import HostList
from stream_detector.policy.memory import Memo
from stream_detector.policy.shadow import Compared, Shadows
from stream_detector.privacy.urls import (
    may_hold_credentials,
    observed_without_credentials,
    without_nested_credentials,
)

_KINDS: tuple[Kind, Kind] = ("url", "host")


class Decided(NamedTuple):
    """The results for a batch of observations."""

    decisions: list[Decision | Rejected]
    """One for each observation, in order."""
    comparisons: Sequence[Compared] = ()
    """Of shadows with the served models, on new texts."""


class Decider:
    """Decides on URLs and host names. All calls come from the scorer's owner thread.

    Lists come before the model. Where both match, the more specific entry wins (a URL before a
    host, a longer host before a shorter one); between two equally specific ones, the deny list.

    Decisions hold no user name or password of a URL: the decider masks them.

    The decider remembers decisions by observed text and scores by canonical text, at most
    ``cache_entries`` of each. It forgets both when the scorer serves other models.

    ``shadows`` see each text that the scorer scores, and affect no decision.

    Raises:
        SettingsError: thresholds contradict each other.
    """

    def __init__(
        self,
        scorer: TextScorer,
        *,
        overrides: Overrides,
        cache_entries: int,
        allow: HostList | None = None,
        deny: HostList | None = None,
        metrics: Metrics | None = None,
        shadows: Shadows | None = None,
    ) -> None:
        self._scorer = scorer
        self._shadows = shadows
        self._overrides = overrides
        self._metrics = metrics
        self._allow = allow
        self._deny = deny
        self._decisions: Memo[Observed, Decision | Rejected] = Memo(cache_entries)
        self._scores: dict[Kind, Memo[str, float]] = {kind: Memo(cache_entries) for kind in _KINDS}
        self._models: dict[Kind, ServedModel] = {}
        self._thresholds: dict[Kind, Thresholds] = {}
        self._labels: dict[Labels, Labels] = {}
        self._follow_models()

    @property
    def thresholds(self) -> Mapping[Kind, Thresholds]:
        """Scores at which verdicts change, by kind."""
        return self._thresholds

    def decide(self, observed: Sequence[Observed]) -> Decided:
        """Decide on each of ``observed``.

        A text on which the model raises, or to which it gives no probability, is ``Rejected`` with
        ``MODEL_ERROR``; the other texts of its batch get their scores.

        Raises:
            ModelError: the model fails on a text known to be good as well.
            DeviceError: memory or device failed.
            SettingsError: thresholds contradict those of a new model.
        """
        self._follow_models()
        decisions = self._decisions.get_all(observed)
        missing = [place for place, decision in enumerate(decisions) if decision is None]
        if self._metrics is not None:
            self._metrics.cache_lookups.labels("hit").inc(len(observed) - len(missing))
            self._metrics.cache_lookups.labels("miss").inc(len(missing))
        comparisons: list[Compared] = []
        if missing:
            fresh, comparisons = self._decide_afresh(
                dict.fromkeys(observed[place] for place in missing)
            )
            for place in missing:
                decisions[place] = fresh[observed[place]]
        return Decided(cast(list[Decision | Rejected], decisions), comparisons)

    def _follow_models(self) -> None:
        # Between two calls another model may have begun to serve: its thresholds count from now
        # on, and no decision or score of the model before.
        models = dict(self._scorer.models)
        if models == self._models:
            return
        self._thresholds = {
            kind: effective_thresholds(kind, model.thresholds, self._overrides[kind])
            for kind, model in models.items()
        }
        self._models = models
        if self._metrics is not None:
            self._metrics.drift.follow(models)
        self._labels.clear()
        self._decisions.clear()
        for memory in self._scores.values():
            memory.clear()

    def _decide_afresh(
        self, keys: Iterable[Observed]
    ) -> tuple[dict[Observed, Decision | Rejected], list[Compared]]:
        """Decide on distinct observations and remember the decisions; compare the new texts."""
        decisions: dict[Observed, Decision | Rejected] = {}
        for_model: list[tuple[Observed, Canonical]] = []
        texts: dict[Kind, dict[str, None]] = {"url": {}, "host": {}}
        for key in keys:
            canonical = canonicalise(*key)
            if not isinstance(canonical, Canonical):
                decisions[key] = canonical
            elif len(canonical.text) > CANONICAL_CHARACTERS_MAX:
                decisions[key] = _too_long(canonical)
            elif (listed := self._listed(key[1], canonical)) is not None:
                decisions[key] = listed
            else:
                for_model.append((key, canonical))
                texts[canonical.kind][canonical.text] = None
        scores: dict[Kind, dict[str, float]] = {}
        comparisons: list[Compared] = []
        for kind in _KINDS:
            scores[kind], compared = self._scores_of(kind, list(texts[kind]))
            if compared is not None:
                comparisons.append(compared)
        for key, canonical in for_model:
            decisions[key] = self._scored(key[1], canonical, scores[canonical.kind][canonical.text])
        for key, decision in decisions.items():
            if _may_be_remembered(key[1], decision):
                self._decisions.put(key, decision)
        return decisions, comparisons

    def _listed(self, observed: str, canonical: Canonical) -> Decision | None:
        if self._allow is None and self._deny is None:
            return None
        allow = self._allow.specificity(canonical) if self._allow is not None else 0
        deny = self._deny.specificity(canonical) if self._deny is not None else 0
        if allow == deny == 0:
            return None
        if deny >= allow:
            return self._decision(observed, canonical, None, "malicious", "deny_list")
        return self._decision(observed, canonical, None, "benign", "allow_list")

    def _scored(self, observed: str, canonical: Canonical, score: float) -> Decision | Rejected:
        if math.isnan(score):
            return Rejected(RejectReason.MODEL_ERROR, f"the {canonical.kind} model gives no score")
        verdict = verdict_for(score, self._thresholds[canonical.kind])
        return self._decision(observed, canonical, score, verdict, "model")

    def _decision(
        self,
        observed: str,
        canonical: Canonical,
        score: float | None,
        verdict: VerdictName,
        reason: str,
    ) -> Decision:
        kind = canonical.kind
        model = self._models[kind].ref
        labels = (kind, verdict, model.name, reason)
        labels = self._labels.setdefault(labels, labels)
        if may_hold_credentials(observed):
            observed = observed_without_credentials(observed, canonical)
            text = without_nested_credentials(canonical.text)
            if text != canonical.text:
                canonical = msgspec.structs.replace(canonical, text=text)
        return Decision(
            observed, canonical, score, verdict, reason, self._thresholds[kind], model, labels
        )

    def _scores_of(
        self, kind: Kind, texts: Sequence[str]
    ) -> tuple[dict[str, float], Compared | None]:
        """The score of each of the distinct ``texts``, NaN for none; the comparison of new ones."""
        compared = None
        memory = self._scores[kind]
        scores = dict(zip(texts, memory.get_all(texts), strict=True))
        new = [text for text, score in scores.items() if score is None]
        if new:
            new_scores = self._score(kind, new)
            for text, score in zip(new, new_scores, strict=True):
                scores[text] = score
                # A model may score the next time what it failed on now.
                if len(text) <= REMEMBERED_CHARACTERS_MAX and not math.isnan(score):
                    memory.put(text, score)
            if self._shadows is not None and self._shadows.running(kind):
                compared = self._shadows.compare(
                    kind,
                    self._models[kind],
                    self._thresholds[kind],
                    dict(zip(new, new_scores, strict=True)),
                )
        return cast(dict[str, float], scores), compared

    def _score(self, kind: Kind, texts: Sequence[str]) -> list[float]:
        started = perf_counter()
        scores = self._scores_by_halves(kind, texts)
        if self._metrics is not None:
            self._metrics.stage_seconds.labels("score").observe(perf_counter() - started)
            self._metrics.scores.observe_all(kind, [s for s in scores if not math.isnan(s)])
            self._metrics.drift.observe(kind, texts, scores)
        return scores

    def _scores_by_halves(self, kind: Kind, texts: Sequence[str]) -> list[float]:
        """Scores, NaN for each text at fault.

        A batch that raises is split until the text at fault is alone. First the model has to score
        a text known to be good: a broken model must not turn every record into a dead letter.
        """
        try:
            scores = self._scorer.score(kind, texts).tolist()
        except ScoringError as error:
            if self._metrics is not None:
                self._metrics.count_error(error)
            self._score_canary(kind, error)
            if len(texts) == 1:
                return [math.nan]
            middle = len(texts) // 2
            return [
                *self._scores_by_halves(kind, texts[:middle]),
                *self._scores_by_halves(kind, texts[middle:]),
            ]
        checked = [score if 0.0 <= score <= 1.0 else math.nan for score in scores]
        if any(map(math.isnan, checked)):
            self._score_canary(kind, None)
        return checked

    def _score_canary(self, kind: Kind, cause: ScoringError | None) -> None:
        """Raise ModelError unless the model scores a text known to be good."""
        try:
            score = float(self._scorer.score(kind, [CANARIES[kind]])[0])
        except ScoringError as error:
            raise _model_error(self._models[kind].ref, kind, str(error)) from error
        if not 0.0 <= score <= 1.0:
            raise _model_error(self._models[kind].ref, kind, f"its score is {score}") from cause


def _may_be_remembered(observed: str, decision: Decision | Rejected) -> bool:
    # Long texts seldom repeat, and the model may score the next time what it failed on.
    if len(observed) > REMEMBERED_CHARACTERS_MAX:
        return False
    if isinstance(decision, Decision):
        return len(decision.canonical.text) <= REMEMBERED_CHARACTERS_MAX
    return decision.reason is not RejectReason.MODEL_ERROR


def _too_long(canonical: Canonical) -> Rejected:
    detail = (
        f"{len(canonical.text)} characters in canonical form, more than {CANONICAL_CHARACTERS_MAX}"
    )
    return Rejected(RejectReason.TOO_LONG, detail)


def _model_error(model: ModelRef, kind: Kind, fault: str) -> ModelError:
    return ModelError(
        f"the {kind} model {model.name} {model.version} fails on {CANARIES[kind]!r} as well, so "
        f"no record is at fault ({fault[:200]}): give {kind}_bundle a bundle that passes "
        "`stream-detector doctor`"
    )
