"""Every rule of the gate, in the order in which a decision shows them.

To change a rule, go to its function in the module named here; to add one, write its function and
add it to ``RULES``. A rule returns checks: it refuses by one that did not pass, and returns none
where it does not apply. Without a champion a rule that compares passes.

=======================================  =============  ==========================================
check in the decision                    module         refuses a challenger that
=======================================  =============  ==========================================
detection at RATE                        detection      finds less, beyond chance and the margin
calibration                              calibration    has probabilities that are further off
suspicious threshold, malicious ...      calibration    flags twice the benign rows it was set for
newest labels                            labels         is wrong more often, beyond chance
must not alert                           lists          calls a listed text malicious for the first
                                                        time
must not alert, suspicious               lists          calls more of them suspicious, beyond chance
must alert                               lists          misses a listed text that was found before
voices                                   labels         (none: it shows whose labels changed what)
=======================================  =============  ==========================================
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.models.bundle import Bundle
from stream_detector.models.scorer import Network
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.gate.calibration import check_calibration, check_thresholds
from trainer.gate.decision import Check
from trainer.gate.detection import check_detection
from trainer.gate.labels import VoiceLabels, VoicesOfRows, check_newest, check_voices
from trainer.gate.lists import Lists, check_must_alert, check_must_not_alert, check_suspicious
from trainer.gate.options import GateOptions


class Served(NamedTuple):
    """A bundle as a worker serves it."""

    bundle: Bundle
    network: Network
    scores: NDArray[np.float32]
    """Of the hold-out."""

    def is_malicious(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which texts it calls malicious."""
        found: NDArray[np.bool_] = self.network.score(texts) >= self.bundle.thresholds.malicious
        return found

    def is_suspicious(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which texts it calls suspicious or malicious."""
        found: NDArray[np.bool_] = self.network.score(texts) >= self.bundle.thresholds.suspicious
        return found


class Comparison(NamedTuple):
    """All that the rules look at."""

    challenger: Served
    champion: Served | None
    hold_out: Dataset
    newest: Dataset | None
    """The newest labels, held out by time."""
    newest_voices: VoicesOfRows | None
    voices: Mapping[str, VoiceLabels] | None
    """The labels that the challenger was trained on, by who said them."""
    lists: Lists
    options: GateOptions
    seed: int
    progress: Progress


def _detection(compared: Comparison) -> list[Check]:
    served = [model for model in (compared.challenger, compared.champion) if model is not None]
    points = [model.bundle.manifest.thresholds for model in served]
    # Other rates than those that a threshold was set for decide no verdict.
    rates = {point.suspicious.false_positive_rate for point in points}
    rates |= {point.malicious.false_positive_rate for point in points}
    return check_detection(
        compared.challenger.scores,
        compared.champion and compared.champion.scores,
        compared.hold_out.labels,
        sorted(rates, reverse=True),
        compared.options,
        seed=compared.seed,
        progress=compared.progress,
    )


def _calibration(compared: Comparison) -> list[Check]:
    theirs = compared.champion and compared.champion.scores
    labels, options = compared.hold_out.labels, compared.options
    return [check_calibration(compared.challenger.scores, theirs, labels, options)]


def _thresholds(compared: Comparison) -> list[Check]:
    ours = compared.challenger
    return check_thresholds(ours.bundle.manifest, ours.scores, compared.hold_out.labels)


def _newest_labels(compared: Comparison) -> list[Check]:
    newest, champion = compared.newest, compared.champion
    if newest is None:
        return []
    return [
        check_newest(
            compared.challenger.is_malicious(newest.texts),
            champion and champion.is_malicious(newest.texts),
            newest.labels,
            compared.options,
            compared.newest_voices,
        )
    ]


def _must_not_alert(compared: Comparison) -> list[Check]:
    ours, theirs, texts = compared.challenger, compared.champion, compared.lists.must_not_alert
    return [
        check_must_not_alert(texts, ours.is_malicious, theirs and theirs.is_malicious),
        *check_suspicious(
            texts, ours.is_suspicious, theirs and theirs.is_suspicious, compared.options
        ),
    ]


def _must_alert(compared: Comparison) -> list[Check]:
    ours, theirs, texts = compared.challenger, compared.champion, compared.lists.must_alert
    return [check_must_alert(texts, ours.is_malicious, theirs and theirs.is_malicious)]


def _voices(compared: Comparison) -> list[Check]:
    if compared.voices is None:
        return []
    theirs = compared.champion and compared.champion.is_malicious
    return [check_voices(compared.voices, compared.challenger.is_malicious, theirs)]


RULES: tuple[Callable[[Comparison], list[Check]], ...] = (
    _detection,
    _calibration,
    _thresholds,
    _newest_labels,
    _must_not_alert,
    _must_alert,
    _voices,
)
