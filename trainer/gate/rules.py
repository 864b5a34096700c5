"""Every rule of the gate, in the order in which a decision shows them.

To change a rule, go to its function in the module named here; to add one, write its function and
call it in ``apply_rules``. A rule refuses the challenger by a check that did not pass. Without a
champion a rule that compares passes.

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

from collections.abc import Iterator, Mapping, Sequence
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


def apply_rules(compared: Comparison) -> Iterator[Check]:
    """The checks of every rule."""
    ours, theirs, options = compared.challenger, compared.champion, compared.options
    labels, lists = compared.hold_out.labels, compared.lists
    their_scores = theirs and theirs.scores
    they_call_malicious = theirs and theirs.is_malicious
    # No other rate than those of the thresholds decides a verdict.
    points = [each.bundle.manifest.thresholds for each in (ours, theirs) if each is not None]
    rates = {point.suspicious.false_positive_rate for point in points}
    rates |= {point.malicious.false_positive_rate for point in points}
    yield from check_detection(
        ours.scores,
        their_scores,
        labels,
        sorted(rates, reverse=True),
        options,
        seed=compared.seed,
        progress=compared.progress,
    )
    yield check_calibration(ours.scores, their_scores, labels, options)
    yield from check_thresholds(ours.bundle.manifest, ours.scores, labels)
    if compared.newest is not None:
        newest = compared.newest
        yield check_newest(
            ours.is_malicious(newest.texts),
            theirs and theirs.is_malicious(newest.texts),
            newest.labels,
            options,
            compared.newest_voices,
        )
    yield check_must_not_alert(lists.must_not_alert, ours.is_malicious, they_call_malicious)
    yield from check_suspicious(
        lists.must_not_alert, ours.is_suspicious, theirs and theirs.is_suspicious, options
    )
    yield check_must_alert(lists.must_alert, ours.is_malicious, they_call_malicious)
    if compared.voices is not None:
        yield check_voices(compared.voices, ours.is_malicious, they_call_malicious)
