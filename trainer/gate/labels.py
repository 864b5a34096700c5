"""Rules on labels: whether the newest are right, and whose labels changed which verdicts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
"""Of those that share a voice because they have no keys: the ones that changed most."""

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
    """Compare which rows ``challenger`` and ``champion`` call malicious with their newest labels.

    Fails where only the champion is right so much more often than only the challenger that chance
    does not explain it (McNemar's exact test, two-sided). The labels of a voice that has
    more than its share of ``voices`` weigh less, so that no voice decides by how much it writes.
    """
    rows = len(labels)
    if not rows:
        return Check("newest labels", True, "there are none to compare on", {"rows": 0})
    weights, bounded = _weights(rows, voices)
    ours = challenger == (labels == 1)
    right = float(np.average(ours, weights=weights))
    figures = {"rows": rows, "weight": float(weights.sum()), "challenger": right}
    said = f"it is right on {right:.1%} of the {rows:,} newest labels"
    if champion is None:
        said += f"; there is no champion to compare with{bounded}"
        return Check("newest labels", True, said, figures)
    theirs = champion == (labels == 1)
    gained, lost = (round(float(weights[one].sum())) for one in (ours & ~theirs, theirs & ~ours))
    chance = mcnemar(gained, lost)
    passed = lost <= gained or chance >= 1 - options.confidence
    their_right = float(np.average(theirs, weights=weights))
    figures |= {"champion": their_right, "gained": gained, "lost": lost, "p": chance}
    said += (
        f", the champion on {their_right:.1%}: {gained:,} gained, {lost:,} lost, "
        f"p = {chance:.3g}, {'not ' if passed else ''}worse beyond chance{bounded}"
    )
    return Check("newest labels", passed, said, figures)


def _weights(rows: int, voices: VoicesOfRows | None) -> tuple[NDArray[np.float64], str]:
    """How much each label counts, at most 1, and the words that say whose count less."""
    # The voice that writes most must not be the only one to decide which model serves.
    weights = np.ones(rows)
    totals = Counter(() if voices is None else voices.voices)
    bounded = {} if voices is None else limits(totals, 0, voices.share)
    if voices is None or not bounded:
        return weights, ""
    for voice, limit in bounded.items():
        weights[np.array(voices.voices) == voice] = limit / totals[voice]
    most = max(bounded, key=lambda voice: totals[voice])
    return weights, (
        f"; no voice has more than {bounded[most] / weights.sum():.0%} of the weight: the "
        f"{totals[most]:,} labels of {printable(most)} count as {bounded[most]:.3g}"
    )


def check_voices(
    voices: Mapping[str, VoiceLabels], challenger: _IsMalicious, champion: _IsMalicious | None
) -> Check:
    """Names who changed what; refuses nothing, since labels are there to change verdicts."""
    if champion is None:
        message = f"{len(voices):,} voices were trained on; there is no champion to compare with"
        return Check("voices", True, message)
    changes = [_change(voice, each, challenger, champion) for voice, each in voices.items()]
    changes.sort(key=lambda each: -each["now_malicious"] - each["no_longer_malicious"])
    said = [_sentence(each) for each in changes[:_NAMED]]
    if len(changes) > _NAMED:
        said.append(f"{len(changes) - _NAMED:,} other voices changed no more each")
    figures = {"voices": changes[:_IN_FIGURES]}
    return Check("voices", True, "; ".join(said) or "no labels were trained on", figures)


def _change(
    voice: str, labels: VoiceLabels, challenger: _IsMalicious, champion: _IsMalicious
) -> dict[str, Any]:
    """The figures of one voice; ``names`` counts the changed verdicts by name, most first."""
    ours, theirs = challenger(labels.texts), champion(labels.texts)
    names = Counter(labels.names[row] for row in np.flatnonzero(ours != theirs))
    return {
        "voice": printable(voice),
        "labels": len(labels.texts),
        "share": labels.share,
        "now_malicious": int(np.sum(ours & ~theirs)),
        "no_longer_malicious": int(np.sum(theirs & ~ours)),
        "names": {printable(name): count for name, count in names.most_common(_IN_FIGURES)},
    }


def _sentence(change: dict[str, Any]) -> str:
    changed = change["now_malicious"] + change["no_longer_malicious"]
    names: dict[str, int] = change["names"]
    most = ""
    if not set(names) <= {change["voice"]}:
        said = ", ".join(f"{name}: {count:,}" for name, count in list(names.items())[:_NAMES])
        most = f"; most by {said}"
    return (
        f"{change['voice']}, {change['share']:.1%} of an epoch, changed {changed:,} of "
        f"{change['labels']:,} verdicts ({change['no_longer_malicious']:,} no longer malicious"
        f"{most})"
    )
