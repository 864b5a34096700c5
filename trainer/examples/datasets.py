"""Datasets: labelled rows in memory, without duplicates, split into parts."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind
from trainer.examples.labelled import Example, Examples, LeakSearch, read_examples
from trainer.examples.readers import DataError
from trainer.examples.splits import PARTS, Part, split_by_source, split_by_time


class Dataset(NamedTuple):
    """Examples in canonical form, row by row."""

    texts: list[str]
    labels: NDArray[np.int8]
    """1 for malicious, 0 for benign; shape ``[rows]``."""
    parts: NDArray[np.str_]
    sources: NDArray[np.str_]
    kinds: NDArray[np.str_]
    """The sort of malice (``phish``, ``dga``...), ``ben``, or empty if unknown."""
    counts: dict[str, int]
    """Rows read, refused, duplicate, contradicting, bad."""
    leaks: tuple[str, ...] = ()
    """Properties that give the label away, a sentence each."""
    times: NDArray[np.float64] | None = None
    """Seconds since the epoch, NaN if unknown; None if no row has a time."""

    @property
    def size(self) -> str:
        """``1,200 rows, 300 of them malicious``."""
        return f"{len(self.texts):,} rows, {int(self.labels.sum()):,} of them malicious"

    @property
    def notes(self) -> list[str]:
        """Facts about the data that a reader of figures has to know, a sentence each."""
        return [
            f"Of the whole data: {counts_of(self.counts)}. Repeated texts count once, texts with "
            "both labels not at all.",
            *[f"Beware: {leak}." for leak in self.leaks],
        ]

    def of_part(self, part: Part) -> "Dataset":
        """The rows of one part."""
        return self.rows(np.flatnonzero(self.parts == part))

    def rows(self, places: NDArray[np.int64]) -> "Dataset":
        """The rows at ``places``, in that order; one named twice comes twice."""
        return self._replace(
            texts=[self.texts[place] for place in places],
            labels=self.labels[places],
            parts=self.parts[places],
            sources=self.sources[places],
            kinds=self.kinds[places],
            times=None if self.times is None else self.times[places],
        )


def counts_of(counts: Mapping[str, int]) -> str:
    """``1,200 read, 3 duplicate``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


class Census(NamedTuple):
    """The counts of rows that a manifest holds."""

    parts: dict[str, int]
    """Rows by part."""
    sources: dict[str, tuple[int, int]]
    """Rows, and the malicious ones of them, by source."""
    remark: str = ""
    """A remark on the parts, for the manifest."""


def census_of(dataset: Dataset) -> Census:
    """The census of a dataset in memory."""
    malicious = Counter(dataset.sources[dataset.labels == 1].tolist())
    return Census(
        parts={part: int(np.sum(dataset.parts == part)) for part in PARTS},
        sources={
            source: (rows, malicious[source])
            for source, rows in Counter(dataset.sources.tolist()).items()
        },
    )


def without_duplicates(rows: Iterable[Example], counts: Counter[str]) -> list[Example]:
    """The first row of each text, in order; texts with both labels are left out.

    Adds the rows left out to ``counts``, as ``duplicate`` and ``contradicting``.
    """
    first: dict[str, Example | None] = {}
    for row in rows:
        text = row.text
        known = first.get(text, row)
        if known is row and text not in first:
            first[text] = row
        elif known is None or known.label == row.label:
            counts["duplicate"] += 1
        else:  # Neither label can be trusted, so the text is left out.
            counts["contradicting"] += 1
            first[text] = None
    return [row for row in first.values() if row is not None]


def check_labels(examples: Examples, part: Part, labels: Collection[int], *, rows: int) -> None:
    """Check that ``labels``, those of ``part``, are both there; ``rows`` is the size of the data.

    Raises:
        DataError: one is missing.
    """
    if set(labels) != {0, 1}:
        missing = "malicious" if 1 not in labels else "benign"
        raise DataError(
            f"{examples}: the part '{part}' has no {missing} row; "
            f"{rows} rows are too few or are of one class only"
        )


def read_dataset(examples: Examples, kind: Kind, *, needed: Sequence[Part] = PARTS) -> Dataset:
    """Read, canonicalise and split ``examples``.

    Columns: ``url`` or ``host`` (by ``kind``) and ``label``; optional ``source``, ``kind``,
    ``time`` and ``part`` (``train``, ``val``, ``test``). Of rows with the same canonical text only
    the first counts; texts with both labels are left out. ``counts`` has both.

    Raises:
        DataError: a file cannot be read, lacks a column or holds a row that cannot be used (unless
            those are skipped), or a ``needed`` part of the split lacks a label.
    """
    counts: Counter[str] = Counter()
    search = LeakSearch()
    kept = without_duplicates(read_examples(examples, kind, counts, search), counts)
    times = np.array([row.time for row in kept], dtype=np.float64)
    dataset = dataset_of(kept, _parts(kept, examples, counts), counts, search)
    dataset = dataset._replace(times=None if np.isnan(times).all() else times)
    for part in needed:
        labels = set(dataset.labels[dataset.parts == part].tolist())
        check_labels(examples, part, labels, rows=len(kept))
    return dataset


def dataset_of(
    rows: Sequence[Example],
    parts: Sequence[str] | NDArray[np.str_],
    counts: Mapping[str, int],
    search: LeakSearch,
) -> Dataset:
    """A dataset of ``rows``, whose parts are ``parts``; without times."""
    return Dataset(
        texts=[row.text for row in rows],
        labels=np.array([row.label for row in rows], dtype=np.int8),
        parts=np.array(parts, dtype=np.str_),
        sources=np.array([row.source for row in rows], dtype=np.str_),
        kinds=np.array([row.kind for row in rows], dtype=np.str_),
        counts=dict(counts),
        leaks=tuple(str(leak) for leak in search.leaks()),
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts(kept: Sequence[Example], examples: Examples, counts: Counter[str]) -> NDArray[np.str_]:
    """The part of each row; empty for rows in none, which it adds to ``counts``."""
    extra = np.array([row.extra for row in kept], dtype=np.bool_)
    split = [row for row in kept if not row.extra]
    parts = np.full(len(kept), "train", dtype="<U5")
    parts[~extra] = _parts_by_split(split, examples)
    extra_domains = {row.domain for row in kept if row.extra}
    if extra_domains:
        shared = [row.domain in extra_domains for row in kept]
        left_out = (parts != "train") & (parts != "") & np.array(shared, dtype=np.bool_)
        counts["left out of validation and test for their domain"] += int(np.sum(left_out))
        parts[left_out] = ""
    return parts


def _parts_by_split(rows: Sequence[Example], examples: Examples) -> NDArray[np.str_]:
    if examples.split == "source":
        return split_by_source(
            np.array([row.source for row in rows], dtype=np.str_),
            np.array([row.domain for row in rows], dtype=np.str_),
            examples.held_out,
        )
    if examples.split == "time":
        return split_by_time(np.array([row.time for row in rows], dtype=np.float64))
    return np.array([row.part_by(examples.split) for row in rows], dtype=np.str_)
