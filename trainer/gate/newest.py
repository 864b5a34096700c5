"""Whether the challenger is right on the newest labels as often as the champion."""

import numpy as np
from numpy.typing import NDArray

from trainer.gate.decision import Check
from trainer.gate.rules import GateRules
from trainer.statistics import mcnemar

__all__ = ["check_newest"]


def check_newest(
    challenger: NDArray[np.bool_],
    champion: NDArray[np.bool_] | None,
    labels: NDArray[np.int8],
    rules: GateRules,
) -> Check:
    """``challenger`` and ``champion`` tell which rows each calls malicious.

    Fails where the champion alone is right so much more often than the challenger alone that
    chance does not give it (McNemar's exact test, two-sided).
    """
    rows = len(labels)
    if not rows:
        return Check("newest labels", True, "there are none to compare on", {"rows": 0})
    ours = challenger == (labels == 1)
    figures: dict[str, float] = {"rows": rows, "challenger": float(np.mean(ours))}
    if champion is None:
        return Check(
            "newest labels",
            True,
            f"it is right on {figures['challenger']:.1%} of the {rows:,} newest labels; there is "
            "no champion to compare with",
            figures,
        )
    theirs = champion == (labels == 1)
    gained, lost = int(np.sum(ours & ~theirs)), int(np.sum(theirs & ~ours))
    chance = mcnemar(gained, lost)
    passed = lost <= gained or chance >= 1 - rules.confidence
    figures |= {"champion": float(np.mean(theirs)), "gained": gained, "lost": lost, "p": chance}
    return Check(
        "newest labels",
        passed,
        f"it is right on {figures['challenger']:.1%} of the {rows:,} newest labels, the champion "
        f"on {figures['champion']:.1%}: {gained:,} gained, {lost:,} lost, "
        f"p = {chance:.3g}, {'not ' if passed else ''}worse beyond chance",
        figures,
    )
