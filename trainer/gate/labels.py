"""Rules on labels: whether the newest are right, and whose labels changed which verdicts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.terminal.printable import printable
from trainer.examples.shares import limits
from trainer.gate.decision import Check
from trainer.gate.options import GateOptions
from trainer.measuring.statistics import mcnemar

_NAMED = 5
"""Voices in the message, those that changed most; the figures have more."""
_IN_FIGURES = 50
_NAMES = 3
"""Of those that share a voice, for want of keys: the ones that changed most."""


_IsMalicious = Callable[[Sequence[str]], NDArray[np.bool_]]


class VoicesOfRows(NamedTuple):
    """Who said each of the newest labels, and how much of their weight one voice may have."""

    voices: Sequence[str]
    share: float


class VoiceLabels(NamedTuple):
    """The labels of one voice that are trained on."""

    texts: list[str]
    names: list[str]
    """Which analyst or feed each says it is from."""
    share: float
    """Of an epoch: of the base corpus' rows and the visits of labels."""


def check_newest(
    challenger: NDArray[np.bool_],
    champion: NDArray[np.bool_] | None,
    labels: NDArray[np.int8],
    options: GateOptions,
    voices: VoicesOfRows | None = None,
) -> Check:
    """``challenger`` and ``champion`` tell which rows each calls malicious.

    Fails where the champion alone is right so much more often than the challenger alone that
    chance does not give it (McNemar's exact test, two-sided). The labels of a voice that has more
    than its share of ``voices`` weigh less, so that no voice decides by how much it writes.
    """
    rows = len(labels)
    if not rows:
        return Check("newest labels", True, "there are none to compare on", {"rows": 0})
    weights, bounded = _weights(rows, voices)
    ours = challenger == (labels == 1)
    figures: dict[str, float] = {
        "rows": rows,
        "weight": float(weights.sum()),
        "challenger": float(np.average(ours, weights=weights)),
    }
    if champion is None:
        return Check(
            "newest labels",
            True,
            f"it is right on {figures['challenger']:.1%} of the {rows:,} newest labels; there is "
            f"no champion to compare with{bounded}",
            figures,
        )
    theirs = champion == (labels == 1)
    gained, lost = (round(float(weights[one].sum())) for one in (ours & ~theirs, theirs & ~ours))
    chance = mcnemar(gained, lost)
    passed = lost <= gained or chance >= 1 - options.confidence
    figures |= {
        "champion": float(np.average(theirs, weights=weights)),
        "gained": gained,
        "lost": lost,
        "p": chance,
    }
    return Check(
        "newest labels",
        passed,
        f"it is right on {figures['challenger']:.1%} of the {rows:,} newest labels, the champion "
        f"on {figures['champion']:.1%}: {gained:,} gained, {lost:,} lost, "
        f"p = {chance:.3g}, {'not ' if passed else ''}worse beyond chance{bounded}",
        figures,
    )


def _weights(rows: int, voices: VoicesOfRows | None) -> tuple[NDArray[np.float64], str]:
    """How much each label counts, at most 1, and the words that say whose count less."""
    # Whoever writes most must not decide alone which model serves.
    weights = np.ones(rows)
    if voices is None:
        return weights, ""
    totals = Counter(voices.voices)
    bounded = limits(totals, 0, voices.share)
    if not bounded:
        return weights, ""
    for voice, limit in bounded.items():
        weights[np.array(voices.voices) == voice] = limit / totals[voice]
    most = max(bounded, key=lambda voice: totals[voice])
    share = bounded[most] / weights.sum()
    return weights, (
        f"; no voice has more than {share:.0%} of the weight: the {totals[most]:,} labels of "
        f"{printable(most)} count as {bounded[most]:.3g}"
    )


class _Changed(NamedTuple):
    voice: str
    labels: int
    share: float
    now_malicious: int
    no_longer_malicious: int
    names: dict[str, int]
    """How many verdicts were changed by the labels of each name, the most first."""


def check_voices(
    voices: Mapping[str, VoiceLabels], challenger: _IsMalicious, champion: _IsMalicious | None
) -> Check:
    """Names who changed what; refuses nothing, since labels are there to change verdicts."""
    if champion is None:
        message = f"{len(voices):,} voices were trained on; there is no champion to compare with"
        return Check("voices", True, message)
    found = sorted(
        (_changed(voice, labels, challenger, champion) for voice, labels in voices.items()),
        key=lambda each: -each.now_malicious - each.no_longer_malicious,
    )
    said = [
        f"{each.voice}, {each.share:.1%} of an epoch, changed "
        f"{each.now_malicious + each.no_longer_malicious:,} of {each.labels:,} verdicts "
        f"({_details(each)})"
        for each in found[:_NAMED]
    ]
    if len(found) > _NAMED:
        said.append(f"{len(found) - _NAMED:,} other voices changed no more each")
    figures = {"voices": [each._asdict() for each in found[:_IN_FIGURES]]}
    return Check("voices", True, "; ".join(said) or "no labels were trained on", figures)


def _changed(
    voice: str, labels: VoiceLabels, challenger: _IsMalicious, champion: _IsMalicious
) -> _Changed:
    ours, theirs = challenger(labels.texts), champion(labels.texts)
    names = Counter(labels.names[row] for row in np.flatnonzero(ours != theirs))
    return _Changed(
        printable(voice),
        len(labels.texts),
        labels.share,
        int(np.sum(ours & ~theirs)),
        int(np.sum(theirs & ~ours)),
        {printable(name): count for name, count in names.most_common(_IN_FIGURES)},
    )


def _details(changed: _Changed) -> str:
    said = f"{changed.no_longer_malicious:,} no longer malicious"
    if set(changed.names) <= {changed.voice}:
        return said
    most = list(changed.names.items())[:_NAMES]
    return f"{said}; most by {', '.join(f'{name}: {count:,}' for name, count in most)}"
