"""Sums up comparisons: one summary for each pair of a model that served and its shadow."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from stream_detector.errors import RecordError
from stream_detector.events import (
    Comparison,
    Counts,
    Disagreement,
    Kind,
    LabelName,
    ModelRef,
    VerdictName,
)

VERDICTS: tuple[VerdictName, ...] = ("benign", "suspicious", "malicious")

Pair = tuple[Kind, str, str]
"""Kind, and the sha256 of the model that served and of the shadow."""
LabelOf = Callable[[Disagreement], LabelName | None]


class Example(msgspec.Struct, frozen=True):
    """A text that the models disagree on."""

    text: str
    """In canonical form."""
    served_score: float
    shadow_score: float
    label: LabelName | None
    """The label that counts, if there is one."""


class Labelled(msgspec.Struct, frozen=True):
    """How often the models agree with the labels of the texts that they disagree on.

    A model is right where it flags (as suspicious or malicious) a text with the label malicious, or
    does not flag one with the label benign.
    """

    texts: int
    """Those that have a label."""
    served_right: int
    shadow_right: int


class Direction(msgspec.Struct, frozen=True):
    """The texts with one pair of verdicts that differ."""

    served: VerdictName
    shadow: VerdictName
    texts: int
    """Distinct texts."""
    domains: tuple[tuple[str, int], ...]
    """The registered domains with most of them, and how many."""
    examples: tuple[Example, ...]
    """Those whose scores differ most."""
    labelled: Labelled | None
    """None where no labels were given."""


class Summary(msgspec.Struct, frozen=True):
    """The verdicts of one pair of models on the same texts."""

    kind: Kind
    served: ModelRef
    shadow: ModelRef
    first: datetime
    last: datetime
    """When the first and the last of the batches were scored."""
    share: float
    """As announced last."""
    texts: int
    """Texts compared; one counts again for each worker, and when a worker has forgotten it."""
    passed_over: int
    agreement: float
    """Share of ``texts`` with the same verdict."""
    verdicts: dict[VerdictName, dict[VerdictName, int]]
    """Texts by the verdict that was given, then by that of the shadow; all nine."""
    mean_difference: float
    """Of the shadow's score to the one that was given, signed."""
    mean_absolute_difference: float
    max_absolute_difference: float
    directions: tuple[Direction, ...]
    """Those with most texts first."""
    labelled: Labelled | None


class Gathered:
    """Comparisons, in the order in which they were written."""

    def __init__(self, comparisons: Iterable[Comparison | RecordError]) -> None:
        self.unreadable = 0
        """Records that are no comparison."""
        # By id: a batch that was scored again replaces its counts, also under another model.
        self._counts: dict[str, Counts] = {}
        # The latest of each canonical text, by pair.
        self._disagreements: defaultdict[Pair, dict[str, Disagreement]] = defaultdict(dict)
        for each in comparisons:
            if isinstance(each, RecordError):
                self.unreadable += 1
            elif isinstance(each, Counts):
                self._counts[each.id] = each
            else:
                pair = each.kind, each.served.model.sha256, each.shadow.model.sha256
                earlier = self._disagreements[pair].get(each.canonical)
                if earlier is None or each.compared_at >= earlier.compared_at:
                    self._disagreements[pair][each.canonical] = each

    def shadows(self) -> dict[str, ModelRef]:
        """The shadows that were compared, by sha256, the one compared last at the end."""
        latest: dict[str, ModelRef] = {}
        for each in sorted(self._counts.values(), key=lambda one: one.compared_at):
            latest.pop(each.shadow.sha256, None)
            latest[each.shadow.sha256] = each.shadow
        return latest

    def disagreements(self, shadows: Iterable[str]) -> Iterator[Disagreement]:
        """The last comparison of each text that ``shadows``, by sha256, judge otherwise."""
        wanted = set(shadows)
        for (_, _, shadow), latest in self._disagreements.items():
            if shadow in wanted:
                yield from latest.values()

    def summaries(
        self, shadows: Iterable[str], *, label_of: LabelOf | None = None, top: int
    ) -> list[Summary]:
        """One for each pair of ``shadows``, by sha256, the pair compared last at the end.

        ``label_of`` gives the label of a text; None if there are no labels. ``top`` is the most
        domains and the most examples of a direction.
        """
        wanted = set(shadows)
        batches: defaultdict[Pair, list[Counts]] = defaultdict(list)
        for each in sorted(self._counts.values(), key=lambda one: one.compared_at):
            if each.shadow.sha256 in wanted:
                batches[each.kind, each.served.sha256, each.shadow.sha256].append(each)
        found = [
            _summary(of_pair, [*self._disagreements[pair].values()], label_of, top)
            for pair, of_pair in batches.items()
        ]
        return sorted(found, key=lambda summary: summary.last)


def _summary(
    batches: list[Counts], disagreements: list[Disagreement], label_of: LabelOf | None, top: int
) -> Summary:
    last = batches[-1]
    texts = sum(counts.texts for counts in batches)
    verdicts: dict[VerdictName, dict[VerdictName, int]] = {
        served: dict.fromkeys(VERDICTS, 0) for served in VERDICTS
    }
    for counts in batches:
        for pair in counts.verdicts:
            verdicts[pair.served][pair.shadow] += pair.texts

    def mean(name: str) -> float:
        total = sum(getattr(each.score_difference, name) * each.texts for each in batches)
        return float(total / texts)

    by_direction: defaultdict[tuple[VerdictName, VerdictName], list[Disagreement]]
    by_direction = defaultdict(list)
    for each in disagreements:
        by_direction[each.served.verdict, each.shadow.verdict].append(each)
    directions = [
        _direction(served, shadow, of_direction, label_of, top)
        for (served, shadow), of_direction in by_direction.items()
    ]
    return Summary(
        kind=last.kind,
        served=last.served,
        shadow=last.shadow,
        first=batches[0].compared_at,
        last=last.compared_at,
        share=last.share,
        texts=texts,
        passed_over=sum(counts.passed_over for counts in batches),
        agreement=sum(verdicts[verdict][verdict] for verdict in VERDICTS) / texts,
        verdicts=verdicts,
        mean_difference=mean("mean"),
        mean_absolute_difference=mean("mean_absolute"),
        max_absolute_difference=max(each.score_difference.max_absolute for each in batches),
        directions=tuple(sorted(directions, key=lambda each: -each.texts)),
        labelled=_labelled(disagreements, label_of),
    )


def _direction(
    served: VerdictName,
    shadow: VerdictName,
    disagreements: list[Disagreement],
    label_of: LabelOf | None,
    top: int,
) -> Direction:
    domains = Counter(each.registered_domain for each in disagreements)
    furthest = sorted(disagreements, key=lambda each: -abs(each.shadow.score - each.served.score))
    examples = [
        Example(each.canonical, each.served.score, each.shadow.score, label_of and label_of(each))
        for each in furthest[:top]
    ]
    return Direction(
        served,
        shadow,
        len(disagreements),
        tuple(domains.most_common(top)),
        tuple(examples),
        _labelled(disagreements, label_of),
    )


def _labelled(disagreements: list[Disagreement], label_of: LabelOf | None) -> Labelled | None:
    if label_of is None:
        return None
    labelled = [(each, label) for each in disagreements if (label := label_of(each)) is not None]
    served_right = sum(_is_right(each.served.verdict, label) for each, label in labelled)
    shadow_right = sum(_is_right(each.shadow.verdict, label) for each, label in labelled)
    return Labelled(len(labelled), served_right, shadow_right)


def _is_right(verdict: VerdictName, label: LabelName) -> bool:
    return (verdict != "benign") == (label == "malicious")
