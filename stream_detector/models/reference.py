"""The reference of a bundle: the distribution of scores and inputs when it was measured.

Trainer and worker share this module: the statistics of a text, their bins, and the population
stability index (PSI), the distance between two histograms. It needs no TensorFlow.

The reference holds the benign rows of the test part, because nearly all traffic is benign and a
corpus has a far larger malicious share. It is not the traffic of any one network, so the PSI
settles at a different level on each network; a change of that level is the sign of drift.

PSI and its limits 0.1 and 0.25: N. Siddiqi, "Credit Risk Scorecards", Wiley 2006. Without drift it
is about (bins - 1) * (1/rows + 1/rows of the other): B. Yurdakul, "Statistical Properties of
Population Stability Index", Western Michigan University 2018.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind

Counts = Sequence[float] | NDArray[np.floating] | NDArray[np.integer]
"""Rows by bin."""

PSI_LOOK = 0.1
PSI_MOVED = 0.25
"""Below the first the distribution is stable, above the second it has shifted."""

_SHARE_MIN = 0.005
"""Of the reference's rows. Smaller bins are joined: a few more texts in one would move the PSI."""

_SMOOTHING = 0.5
"""Rows added to each bin (Jeffreys' prior): with an empty bin the PSI would be infinite."""

_EDGE_MAX = 65_536
"""Characters of the longest text that is scored. A look-up table is as long as the last edge."""

_ROWS_MAX = 2**53
"""Larger integers are not exact as floating-point numbers."""

_SCORE_EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.95)
"""Nearly even in log-odds: benign texts score far below 0.5."""

_LENGTH_EDGES = (8.0, 12.0, 16.0, 20.0, 25.0, 30.0, 40.0, 50.0, 65.0, 80.0, 100.0, 150.0, 200.0)
_DOT_EDGES = (1.0, 2.0, 3.0, 4.0, 5.0)
_DIGIT_EDGES = (0.001, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)

BINS: Mapping[Kind, Mapping[str, tuple[float, ...]]] = {
    "url": {
        "score": _SCORE_EDGES,
        "length": _LENGTH_EDGES,
        "dots": _DOT_EDGES,
        "digits": _DIGIT_EDGES,
        "depth": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0),
        "query": (1.0, 10.0, 20.0, 40.0, 80.0, 150.0),
    },
    "host": {
        "score": _SCORE_EDGES,
        "length": _LENGTH_EDGES,
        "dots": _DOT_EDGES,
        "digits": _DIGIT_EDGES,
    },
}
"""Edges by statistic. What each is, of a canonical text:

- ``score``: the calibrated score;
- ``length``: characters;
- ``dots``: dots of the host, one less than its labels;
- ``digits``: share of the characters that are digits;
- ``depth``: slashes before the query;
- ``query``: characters of the query, 0 without one.

A bin includes its lower edge and excludes its upper one; the first and the last bin are open.
"""


class Histogram(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows by bin."""

    edges: list[float]
    """Rising; between them and beyond lie ``len(edges) + 1`` bins."""
    counts: list[int]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Histograms of the same rows, by statistic."""

    rows: int
    histograms: dict[str, Histogram]


def measured(
    kind: Kind, texts: Sequence[str], scores: Sequence[float] | NDArray[np.floating]
) -> dict[str, NDArray[np.floating] | NDArray[np.int64]]:
    """The statistics of canonical ``texts``, each of shape ``[len(texts)]``; see ``BINS``.

    Works on all texts as one array of bytes: 0.3 us a text, against 2 us text by text.
    """
    rows = len(texts)
    lengths = np.fromiter(map(len, texts), np.int64, rows)
    ends = np.cumsum(lengths)
    # One byte a character (canonical texts are ASCII), and the row that each byte belongs to.
    data = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)
    row_of = np.repeat(np.arange(rows), lengths)

    def found(character: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places = np.flatnonzero(data == ord(character))
        return places, row_of[places]

    statistics: dict[str, NDArray[np.floating] | NDArray[np.int64]] = {
        "score": np.asarray(scores, np.float64)
    }
    dots, dot_rows = found(".")
    if kind == "url":
        slashes, slash_rows = found("/")
        marks, mark_rows = found("?")
        dot_rows = dot_rows[dots < _first_of(slashes, slash_rows, ends)[dot_rows]]
        path_ends = _first_of(marks, mark_rows, ends)
        slash_rows = slash_rows[slashes < path_ends[slash_rows]]
        statistics["depth"] = np.bincount(slash_rows, minlength=rows)
        statistics["query"] = np.maximum(ends - path_ends - 1, 0)
    # Unsigned bytes: for characters below the digit 0 the difference wraps to more than 9.
    digit_rows = row_of[data - np.uint8(ord("0")) < 10]
    statistics["length"] = lengths
    statistics["dots"] = np.bincount(dot_rows, minlength=rows)
    statistics["digits"] = np.bincount(digit_rows, minlength=rows) / np.maximum(lengths, 1)
    return statistics


def _first_of(
    places: NDArray[np.int64], rows: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each row the first of its ``places``, or its end if it has none.

    ``places`` ascend, and ``rows`` has the row of each.
    """
    first = ends.copy()
    is_first = np.diff(rows, prepend=-1) > 0
    first[rows[is_first]] = places[is_first]
    return first


def binned(
    values: NDArray[np.floating] | NDArray[np.int64], edges: Sequence[float]
) -> NDArray[np.int64]:
    """The bin of each value, same shape; integers must not be negative."""
    if values.dtype.kind == "i":
        # A table look-up takes a tenth of the time of a binary search.
        largest = int(np.ceil(edges[-1]))
        bins = np.searchsorted(edges, np.arange(largest + 1), side="right")
        return bins[np.minimum(values, largest)]
    return np.searchsorted(np.asarray(edges), values, side="right")


def bin_labels(edges: Sequence[float]) -> list[str]:
    """Names of the bins: ``<1``, ``[1,2)``, ``>=2``."""
    names = [f"{edge:g}" for edge in edges]
    inner = [f"[{low},{high})" for low, high in pairwise(names)]
    return [f"<{names[0]}", *inner, f">={names[-1]}"]


def reference_of(
    kind: Kind, texts: Sequence[str], scores: Sequence[float] | NDArray[np.floating]
) -> Reference:
    """The reference of canonical ``texts`` and their calibrated ``scores``, at least one."""
    statistics = measured(kind, texts, scores)
    return Reference(
        rows=len(texts),
        histograms={
            name: Histogram(
                edges=list(edges),
                counts=np.bincount(
                    binned(statistics[name], edges), minlength=len(edges) + 1
                ).tolist(),
            )
            for name, edges in BINS[kind].items()
        },
    )


def faults(kind: Kind, reference: Reference) -> Iterator[str]:
    """The faults of a reference that another program may have written, one phrase each."""
    if "score" not in reference.histograms:
        yield "it has no histogram of the score"
    for name, histogram in reference.histograms.items():
        edges, counts = histogram.edges, histogram.counts
        if name not in BINS[kind]:
            yield f"{name!r} is no statistic of kind {kind}, which has {', '.join(BINS[kind])}"
        elif (
            not edges
            or not np.all(np.diff(edges) > 0)
            or not 0 <= edges[0] <= edges[-1] <= _EDGE_MAX
        ):
            yield f"the edges of {name} do not rise from 0 or more to {_EDGE_MAX:,} or less"
        elif len(counts) != len(edges) + 1:
            yield f"{name} has {len(counts)} counts, {len(edges)} edges part {len(edges) + 1} bins"
        elif not 0 < reference.rows <= _ROWS_MAX:
            yield f"its rows are not between 1 and {_ROWS_MAX}"
        elif min(counts) < 0 or sum(counts) != reference.rows:
            yield f"the counts of {name} do not add up to its {reference.rows} rows"


def coarsened(histogram: Histogram) -> Histogram:
    """The same rows in fewer bins: neighbouring bins with very few rows are joined.

    They join each other, never a large bin, where new texts of their range would go unnoticed.
    """
    least = _SHARE_MIN * sum(histogram.counts)
    edges: list[float] = []
    counts: list[int] = [histogram.counts[0]]
    may_join = counts[0] < least
    for edge, count in zip(histogram.edges, histogram.counts[1:], strict=True):
        if may_join and count < least:
            counts[-1] += count
        else:
            edges.append(edge)
            counts.append(count)
        may_join = counts[-1] < least
    return Histogram(edges=edges, counts=counts)


def smoothed(counts: Counts) -> NDArray[np.float64]:
    """Shares of the bins, all above 0."""
    raised = np.asarray(counts, np.float64) + _SMOOTHING
    shares: NDArray[np.float64] = raised / raised.sum()
    return shares


def population_stability_index(observed: Counts, expected: Counts) -> float:
    """The PSI of two histograms with the same bins: 0 if equal, symmetric, unbounded."""
    p, q = smoothed(observed), smoothed(expected)
    return float(((p - q) * np.log(p / q)).sum())
