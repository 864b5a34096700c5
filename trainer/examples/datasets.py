"""Labelled examples from files: read, brought to canonical form, freed of duplicates, split."""

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Kind
from stream_detector.sources.times import to_time
from stream_detector.terminal.printable import printable
from trainer.examples.leaks import LeakSearch
from trainer.examples.readers import BadRow, DataError, Row, has_columns, read_rows
from trainer.examples.splits import (
    PARTS,
    Part,
    Split,
    part_by_hash,
    split_by_source,
    split_by_time,
)

__all__ = [
    "Census",
    "DataError",
    "Dataset",
    "Example",
    "Examples",
    "Part",
    "census_of",
    "check_labels",
    "counts_of",
    "dataset_of",
    "part_of",
    "read_dataset",
    "read_examples",
    "read_licences",
    "sha256_of",
    "without_duplicates",
]

_SHOWN_CHARACTERS_MAX = 120

_ARTEFACTS = {"[**qmark**]": "?", "%5B%2A%2Aqmark%2A%2A%5D": "?"}
"""What the study's collection left in place of a question mark, as it is and percent-encoded."""


class Examples(NamedTuple):
    """Which files hold the examples, and how to read them."""

    files: tuple[Path, ...]
    """With a label in each row."""
    benign: tuple[Path, ...] = ()
    malicious: tuple[Path, ...] = ()
    """Files all of whose rows have one label; their own, if any, is not looked at."""
    extra: tuple[Path, ...] = ()
    """Files as ``files`` whose rows are for training alone: the registered domains that they name
    are in no other part, so rows of these there are left out."""
    columns: tuple[str, ...] = ()
    """Names of the columns of CSV and TSV files without a header."""
    malicious_labels: frozenset[str] = frozenset({"1"})
    benign_labels: frozenset[str] = frozenset({"0"})
    skip_bad_rows: bool = False
    split: Split = "column"
    held_out: tuple[str, ...] = ()
    """Sources that are the test part, for the split by source."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (*self.files, *self.benign, *self.malicious, *self.extra)

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))


class Dataset(NamedTuple):
    """Examples in canonical form, row by row."""

    texts: list[str]
    labels: NDArray[np.int8]
    """1 for malicious, 0 for benign; shape ``[rows]``."""
    parts: NDArray[np.str_]
    sources: NDArray[np.str_]
    kinds: NDArray[np.str_]
    """What sort of malicious (``phish``, ``dga``...), ``ben``, or empty where not known."""
    counts: dict[str, int]
    """Rows read, refused, duplicate, contradicting, bad."""
    leaks: tuple[str, ...] = ()
    """What tells the label alone, a sentence each."""
    times: NDArray[np.float64] | None = None
    """Seconds since the epoch, NaN where not known; None where no row has one."""

    @property
    def size(self) -> str:
        """``1,200 rows, 300 of them malicious``."""
        return f"{len(self.texts):,} rows, {int(self.labels.sum()):,} of them malicious"

    @property
    def notes(self) -> list[str]:
        """What a reader of figures has to know about the data, a sentence each."""
        return [
            f"Of the whole data: {counts_of(self.counts)}. Texts that come twice count once, those "
            "with both labels not at all.",
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
    """How many rows there are of what, as a manifest tells it."""

    parts: dict[str, int]
    """Rows by part."""
    sources: dict[str, tuple[int, int]]
    """Rows, and the malicious ones of them, by source."""
    remark: str = ""
    """What else is to be known of the parts."""


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


class Example(NamedTuple):
    """One row as a file has it, its text in canonical form."""

    canonical: Canonical
    label: int
    part: str
    """As the file says; empty where it says nothing."""
    source: str
    kind: str
    time: float
    """Seconds since the epoch; NaN where there is none."""
    extra: bool = False
    """For training, whatever the split."""

    @property
    def text(self) -> str:
        """In canonical form."""
        return self.canonical.text


class _Labelled(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def label(self) -> int: ...

    @property
    def source(self) -> str: ...

    @property
    def kind(self) -> str: ...


LabelledRow = TypeVar("LabelledRow", bound=_Labelled)


def without_duplicates(rows: Iterable[LabelledRow], counts: Counter[str]) -> list[LabelledRow]:
    """The first row of each text, in order; texts with both labels are left out.

    What is left out is added to ``counts``, as ``duplicate`` and ``contradicting``.
    """
    first: dict[str, LabelledRow | None] = {}
    for row in rows:
        text = row.text
        known = first.get(text, row)
        if known is row and text not in first:
            first[text] = row
        elif known is None or known.label == row.label:
            counts["duplicate"] += 1
        else:
            counts["contradicting"] += 1
            first[text] = None
    return [row for row in first.values() if row is not None]


def check_labels(examples: Examples, part: Part, labels: Collection[int], *, rows: int) -> None:
    """Make sure that ``labels``, those of ``part``, are both; ``rows`` there are in all parts.

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
    ``time`` and ``part`` (``train``, ``val``, ``test``). Rows that canonicalise to the same text
    count once, the first one; texts with both labels are left out. Both are counted.

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
    rows: Sequence[LabelledRow],
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


def read_licences(path: Path, kind: Kind) -> dict[str, tuple[str, str]]:
    """(licence, origin) by source, from a CSV file with columns ``source`` and ``licence``.

    Optional columns: ``repository`` (where it is from) and ``file`` (rows that name another
    kind's file there are passed over). One row may name several sources, separated by commas.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not rows or not {"source", "licence"} <= set(rows[0]):
        raise DataError(f"{path}: it needs the columns source and licence")
    licences: dict[str, tuple[str, str]] = {}
    for row in rows:
        if (row.get("file") or f"{kind}s") == f"{kind}s":
            for source in (row["source"] or "").split(","):
                licences[source.strip()] = (row["licence"] or "", row.get("repository") or "")
    return licences


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts(kept: Sequence[Example], examples: Examples, counts: Counter[str]) -> NDArray[np.str_]:
    """The part of each row; empty for those that are in none, which ``counts`` is told."""
    extra = np.array([row.extra for row in kept], dtype=np.bool_)
    split = [row for row in kept if not row.extra]
    parts = np.full(len(kept), "train", dtype="<U5")
    parts[~extra] = _parts_by_split(split, examples)
    extra_domains = {row.canonical.registered_domain for row in kept if row.extra}
    if extra_domains:
        shared = [row.canonical.registered_domain in extra_domains for row in kept]
        left_out = (parts != "train") & (parts != "") & np.array(shared, dtype=np.bool_)
        counts["left out of validation and test for their domain"] += int(np.sum(left_out))
        parts[left_out] = ""
    return parts


def _parts_by_split(rows: Sequence[Example], examples: Examples) -> NDArray[np.str_]:
    if examples.split == "source":
        return split_by_source(
            np.array([row.source for row in rows], dtype=np.str_),
            np.array([row.canonical.registered_domain for row in rows], dtype=np.str_),
            examples.held_out,
        )
    if examples.split == "time":
        return split_by_time(np.array([row.time for row in rows], dtype=np.float64))
    return np.array([part_of(row, examples.split) for row in rows], dtype=np.str_)


def part_of(example: Example, split: Split) -> Part:
    """The part of a row by itself; for the splits ``column``, ``domain`` and ``random``."""
    if split == "column" and example.part:
        return example.part  # type: ignore[return-value] # it was checked when it was read
    domain = example.canonical.registered_domain
    return part_by_hash(example.text if split == "random" else domain)


def read_examples(
    examples: Examples, kind: Kind, counts: Counter[str], search: LeakSearch
) -> Iterator[Example]:
    """All rows that can be used, file after file; none is held.

    ``counts`` is told the rows ``read``, ``bad`` and ``refused``, ``search`` those that are given.

    Raises:
        DataError: as ``read_dataset`` has it.
    """
    given: list[tuple[Path, int | None, bool]] = [
        *((path, None, False) for path in examples.files),
        *((path, 0, False) for path in examples.benign),
        *((path, 1, False) for path in examples.malicious),
        *((path, None, True) for path in examples.extra),
    ]
    for path, label, extra in given:
        names = examples.columns
        if not has_columns(path) and (label is not None or not names):
            names = (kind,)
        if label is None and len(names) == 1:
            raise DataError(
                f"{path}: a plain list has no labels; give it with --benign or --malicious"
            )
        first = True
        for row in read_rows(path, names=names):
            if first and isinstance(row, Row):
                _check_columns(path, row, {kind} if label is not None else {kind, "label"})
                first = False
            counts["read"] += 1
            example = _example(row, label, examples, kind)
            if isinstance(example, str):
                if not examples.skip_bad_rows:
                    raise DataError(f"{path}, line {row.number}: {example}")
                counts["bad"] += 1
            elif example is None:
                counts["refused"] += 1
            else:
                if isinstance(row, Row) and not extra:
                    search.add(example.text, example.label)
                yield example._replace(extra=extra)


def _check_columns(path: Path, row: Row, needed: set[str]) -> None:
    missing = needed - set(row.values)
    if missing:
        columns = _shown(", ".join(row.values))
        raise DataError(
            f"{path}: no column {', '.join(sorted(missing))}; it has {columns}: "
            "rename it, or name the columns of a file without a header by --columns"
        )


def _example(
    row: Row | BadRow, label: int | None, examples: Examples, kind: Kind
) -> Example | str | None:
    """The example; what is wrong with the row; or None where the text is no URL or host name."""
    if isinstance(row, BadRow):
        return row.reason
    values = row.values
    if label is None:
        written = values.get("label", "").strip()
        if written in examples.malicious_labels:
            label = 1
        elif written in examples.benign_labels:
            label = 0
        else:
            return (
                f"label '{_shown(written)}' is neither malicious "
                f"({_listed(examples.malicious_labels)}) nor benign "
                f"({_listed(examples.benign_labels)}): say what labels mean by --malicious-label "
                "and --benign-label"
            )
    part = values.get("part", "")
    if part not in {"", *PARTS}:
        return f"part '{_shown(part)}' is not one of {', '.join(PARTS)}"
    observed = values.get(kind, "")
    for artefact, meant in _ARTEFACTS.items():
        observed = observed.replace(artefact, meant)
    canonical = canonicalise(kind, observed)
    if not isinstance(canonical, Canonical):
        return None
    return Example(
        canonical, label, part, values.get("source", ""), values.get("kind", ""), _time(values)
    )


def _shown(text: str) -> str:
    """What a file holds, for one line of a message."""
    shown = printable(text[:_SHOWN_CHARACTERS_MAX])
    return shown if len(text) <= _SHOWN_CHARACTERS_MAX else f"{shown}..."


def _listed(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "none"


def _time(values: Mapping[str, str]) -> float:
    """Seconds since the epoch; NaN where there is none."""
    time = to_time(values.get("time"))
    return time.timestamp() if time else float("nan")
