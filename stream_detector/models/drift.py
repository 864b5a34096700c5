"""The recent texts and scores of a model, compared with its bundle's reference.

A worker keeps one window per model. Only scored texts count: a text that repeats while its score is
cached counts once, as in the reference.
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

TEXTS_MIN = 1000
"""With fewer texts, or rows of the reference, chance alone moves the PSI by 0.01 or more."""

_HALF_LIFE_TEXTS = 20_000
"""After this many texts an older one counts half: minutes on a busy network, a day on a quiet."""


class DriftFigures(NamedTuple):
    """One statistic; its lists have an entry a bin."""

    psi: float | None
    """Of the window; None if it or the reference has fewer than ``TEXTS_MIN``."""
    bins: list[str]
    expected: list[float]
    """Shares of the reference's rows."""
    observed: list[int]
    """All texts since the model began to serve, not only the window."""


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
        # The bins of all statistics lie in one array, so that a batch costs one count and one sum.
        sizes = [len(histogram.counts) for histogram in self._histograms.values()]
        ends = np.cumsum(sizes).tolist()
        self._places = {
            name: slice(end - size, end)
            for name, size, end in zip(self._histograms, sizes, ends, strict=True)
        }
        self._bins = ends[-1]
        self._counts = (np.zeros(self._bins), np.zeros(self._bins, np.int64))
        """Of the window, and of all texts. Assigned as one tuple: other threads read them."""

    def observe(self, texts: Sequence[str], scores: Sequence[float]) -> None:
        """Add canonical ``texts`` with their calibrated ``scores``; those with NaN are left out."""
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
        """The figures of each statistic, by its name."""
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
