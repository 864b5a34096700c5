"""Whether the challenger is right on the newest labels as often as the champion."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.terminal.printable import printable
from trainer.examples.shares import limits
from trainer.gate.decision import Check
from trainer.gate.rules import GateRules
from trainer.measuring.statistics import mcnemar

__all__ = ["VoicesOfRows", "check_newest"]


class VoicesOfRows(NamedTuple):
    """Who said each of the newest labels, and how much of their weight one voice may have."""

    voices: Sequence[str]
    share: float


def check_newest(
    challenger: NDArray[np.bool_],
    champion: NDArray[np.bool_] | None,
    labels: NDArray[np.int8],
    rules: GateRules,
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
    passed = lost <= gained or chance >= 1 - rules.confidence
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
