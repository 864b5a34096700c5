"""Decides which of several labels of a text counts.

1. Of each voice (source, analyst and feed together, and whether a key proves them) the latest label
   stands, by ``labeled_at``, then by offset: a second one means a change of mind. Where the latest
   is ``retracted``, the voice has taken back its labels, and none of them stands.
2. Of the standing labels, an analyst's outranks a feed's; then a signed one outranks others; then
   the order of trust in analysts' sources and feeds decides, where names outside it come last; then
   the latest counts.

The result keeps the other standing labels too: those with another verdict are disagreements.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from stream_detector.events import Kind, LabelName
from stream_detector.wire.labels import is_feed
from trainer.labels.store import StoredLabel

_Voice = tuple[bool, str, str, str]
_Age = tuple[datetime, int, int, str]
_Rank = tuple[bool, bool, int, _Age]


class ResolvedLabel(NamedTuple):
    """The labels of one canonical text."""

    text: str
    """In canonical form."""
    kinds: frozenset[Kind]
    """As which it was labelled: a host and a URL without a path have one text."""
    standing: tuple[StoredLabel, ...]
    """The latest label of each voice, the one that counts first; at least one."""

    @property
    def winner(self) -> StoredLabel:
        """The label that counts."""
        return self.standing[0]

    @property
    def label(self) -> LabelName:
        """The verdict that counts."""
        # A retraction never stands.
        return cast(LabelName, self.winner.label.label)

    @property
    def disagreeing(self) -> tuple[StoredLabel, ...]:
        """The standing labels with another verdict."""
        return tuple(stored for stored in self.standing if stored.label.label != self.label)


def resolve(
    labels: Iterable[StoredLabel], *, trust: Sequence[str] = ()
) -> dict[str, ResolvedLabel]:
    """The labels of each canonical text by the rules above, whatever the order of ``labels``.

    Args:
        labels: of any texts; one that comes twice counts once.
        trust: names of analysts' sources and of feeds, the most trusted first.

    Returns:
        By canonical text, in the order of first appearance, those of which any label stands.
    """
    kinds: defaultdict[tuple[str, _Voice], set[Kind]] = defaultdict(set)

    def noted() -> Iterator[StoredLabel]:
        for stored in labels:
            canonical = stored.label.canonical
            if not _is_retraction(stored):
                kinds[canonical.text, _voice(stored)].add(canonical.kind)
            yield stored

    latest = _latest(noted())
    places = {source: len(trust) - place for place, source in reversed(list(enumerate(trust)))}

    def rank(stored: StoredLabel) -> _Rank:
        label = stored.label
        # A feed writes any source into its labels; its name is checked.
        name = label.feed or "" if is_feed(label) else label.source
        return not is_feed(label), stored.signed, places.get(name, 0), _age(stored)

    resolved = {}
    for text, voices in latest.items():
        standing = {voice: stored for voice, stored in voices.items() if not _is_retraction(stored)}
        if standing:
            resolved[text] = ResolvedLabel(
                text,
                frozenset().union(*(kinds[text, voice] for voice in standing)),
                tuple(sorted(standing.values(), key=rank, reverse=True)),
            )
    return resolved


def retractions(labels: Iterable[StoredLabel]) -> dict[str, list[StoredLabel]]:
    """By canonical text, the retractions of the voices that have taken back their labels."""
    found = {
        text: [stored for stored in voices.values() if _is_retraction(stored)]
        for text, voices in _latest(labels).items()
    }
    return {text: retracted for text, retracted in found.items() if retracted}


def _latest(labels: Iterable[StoredLabel]) -> Mapping[str, dict[_Voice, StoredLabel]]:
    """By text, the latest label of each voice."""
    latest: defaultdict[str, dict[_Voice, StoredLabel]] = defaultdict(dict)
    for stored in labels:
        voices, voice = latest[stored.label.canonical.text], _voice(stored)
        earlier = voices.get(voice)
        if earlier is None or _age(stored) > _age(earlier):
            voices[voice] = stored
    return latest


def _is_retraction(stored: StoredLabel) -> bool:
    return stored.label.label == "retracted"


def _voice(stored: StoredLabel) -> _Voice:
    label = stored.label
    return stored.signed, label.source, label.analyst or "", label.feed or ""


def _age(stored: StoredLabel) -> _Age:
    """Greater is later. Labels of one text share a partition, unless partitions were added."""
    return stored.label.labeled_at, stored.offset, stored.partition, stored.topic
