"""Which of the labels of a text counts, where there are several.

1. Who says something again has changed their mind: of each voice (source, analyst and feed
   together) the latest label stands, by ``labeled_at``, then by offset.
2. Of the voices that stand, an analyst goes before a feed; then a source before those that stand
   after it in the order of trust, or not in it; then the latest.

The others are kept beside it: those that say otherwise are disagreements.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from stream_detector.events import Kind, LabelName
from trainer.labels.store import StoredLabel

__all__ = ["ResolvedLabel", "resolve"]

_Voice = tuple[str, str, str]
_Age = tuple[datetime, int, int, str]
_Rank = tuple[bool, int, _Age]


class ResolvedLabel(NamedTuple):
    """What is held of one canonical text."""

    text: str
    """In canonical form."""
    kinds: frozenset[Kind]
    """As what it was labelled: a host and a URL without a path have one text."""
    standing: tuple[StoredLabel, ...]
    """The latest label of each voice, the one that counts first; at least one."""

    @property
    def winner(self) -> StoredLabel:
        """The label that counts."""
        return self.standing[0]

    @property
    def label(self) -> LabelName:
        """What counts."""
        return self.winner.label.label

    @property
    def disagreeing(self) -> tuple[StoredLabel, ...]:
        """The standing labels that say otherwise."""
        return tuple(stored for stored in self.standing if stored.label.label != self.label)


def resolve(
    labels: Iterable[StoredLabel], *, trust: Sequence[str] = ()
) -> dict[str, ResolvedLabel]:
    """What counts of each canonical text, by the rules above, whatever the order of ``labels``.

    Args:
        labels: of any texts; one that comes twice counts once.
        trust: names of sources, the most trusted first.

    Returns:
        By canonical text, in the order of first appearance.
    """
    standing: defaultdict[str, dict[_Voice, StoredLabel]] = defaultdict(dict)
    kinds: defaultdict[str, set[Kind]] = defaultdict(set)
    for stored in labels:
        text = stored.label.canonical.text
        kinds[text].add(stored.label.canonical.kind)
        voice = _voice(stored)
        earlier = standing[text].get(voice)
        if earlier is None or _age(stored) > _age(earlier):
            standing[text][voice] = stored
    places = {source: len(trust) - place for place, source in reversed(list(enumerate(trust)))}

    def rank(stored: StoredLabel) -> _Rank:
        label = stored.label
        return label.analyst is not None, places.get(label.source, 0), _age(stored)

    return {
        text: ResolvedLabel(
            text, frozenset(kinds[text]), tuple(sorted(voices.values(), key=rank, reverse=True))
        )
        for text, voices in standing.items()
    }


def _voice(stored: StoredLabel) -> _Voice:
    label = stored.label
    return label.source, label.analyst or "", label.feed or ""


def _age(stored: StoredLabel) -> _Age:
    """Greater is later. Labels of one text share a partition, unless partitions were added."""
    return stored.label.labeled_at, stored.offset, stored.partition, stored.topic
