"""What a model has scored of late, held against its bundle's reference.

A worker keeps one window a model. Only texts that are scored count: what is repeated while its
score is remembered counts once, as rows of the reference do.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_detector.events import Kind
from stream_detector.models.reference import (
    Reference,
    bin_labels,
    binned,
    coarsened,
    measured,
    population_stability_index,
)

__all__ = ["TEXTS_MIN", "DriftFigures", "DriftWindow"]

TEXTS_MIN = 1000
"""Below so many texts, or rows of the reference, chance alone moves the index by 0.01 and more."""

_HALF_LIFE_TEXTS = 20_000
"""After so many more a text counts half: some minutes of a busy network, a day of a quiet one."""


class DriftFigures(NamedTuple):
    """One statistic; its lists have an entry a bin."""

    psi: float | None
    """Population stability index of the window; None where too few texts were scored, or the
    reference has too few rows."""
    bins: list[str]
    expected: list[float]
    """Shares of the reference's rows."""
    observed: list[int]
    """All texts since the model began to serve."""


class DriftWindow:
    """Counts by bin of what one model scored, old texts fading out.

    ``observe`` is called from one thread, ``figures`` from any.
    """

    def __init__(self, kind: Kind, reference: Reference) -> None:
        self._kind = kind
        self._reference = reference
        self._histograms = {
            name: coarsened(histogram) for name, histogram in reference.histograms.items()
        }
        # One array holds the bins of all statistics: each batch is one count and one sum.
        sizes = [len(histogram.counts) for histogram in self._histograms.values()]
        ends = np.cumsum(sizes).tolist()
        self._places = {
            name: slice(end - size, end)
            for name, size, end in zip(self._histograms, sizes, ends, strict=True)
        }
        self._bins = ends[-1]
        self._counts = (np.zeros(self._bins), np.zeros(self._bins, np.int64))
        """Of the window, and of all texts; replaced in one step, since others read them."""

    def observe(self, texts: Sequence[str], scores: Sequence[float]) -> None:
        """Add canonical ``texts`` with their calibrated ``scores``, NaN for those to leave out."""
        values = np.asarray(scores, np.float64)
        sound = np.isfinite(values)
        if not sound.all():
            texts = [text for text, is_sound in zip(texts, sound, strict=True) if is_sound]
            values = values[sound]
        if not texts:
            return
        statistics = measured(self._kind, texts, values)
        bins = [
            binned(statistics[name], histogram.edges) + self._places[name].start
            for name, histogram in self._histograms.items()
        ]
        added = np.bincount(np.concatenate(bins), minlength=self._bins)
        recent, total = self._counts
        fading = 0.5 ** (len(texts) / _HALF_LIFE_TEXTS)
        self._counts = (recent * fading + added, total + added)

    def figures(self) -> dict[str, DriftFigures]:
        """What is known of each statistic."""
        recent, total = self._counts
        figures = {}
        for name, histogram in self._histograms.items():
            place = self._places[name]
            observed = total[place].tolist()
            enough = min(sum(observed), self._reference.rows) >= TEXTS_MIN
            figures[name] = DriftFigures(
                psi=population_stability_index(recent[place], histogram.counts) if enough else None,
                bins=bin_labels(histogram.edges),
                expected=[count / self._reference.rows for count in histogram.counts],
                observed=observed,
            )
        return figures
