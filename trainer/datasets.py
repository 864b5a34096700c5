"""Labelled examples from files: read, brought to canonical form, freed of duplicates, split."""

import csv
import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import canonicalise
from stream_detector.errors import StreamDetectorError
from stream_detector.events import Canonical, Kind

__all__ = ["DataError", "Dataset", "Part", "read_dataset", "read_licences", "sha256_of"]

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

_ENCODING = "utf-8-sig"
"""UTF-8, also with the byte-order mark that spreadsheets write."""

_VALIDATION_PERCENT = 10
_TEST_PERCENT = 20


class DataError(StreamDetectorError):
    """A file of examples cannot be used; the message names file, line and reason."""


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
    """Rows read, refused, duplicate and contradicting."""

    def of_part(self, part: Part) -> "Dataset":
        """The rows of one part."""
        chosen = np.flatnonzero(self.parts == part)
        return self._replace(
            texts=[self.texts[row] for row in chosen],
            labels=self.labels[chosen],
            parts=self.parts[chosen],
            sources=self.sources[chosen],
            kinds=self.kinds[chosen],
        )


class _Row(NamedTuple):
    canonical: Canonical
    label: int
    part: str
    source: str
    kind: str


def read_dataset(path: Path, kind: Kind, *, needed: Sequence[Part] = PARTS) -> Dataset:
    """Read a CSV file (also ``.csv.gz``) with a header.

    Columns: ``url`` or ``host`` (by ``kind``) and ``label`` (1 malicious, 0 benign); optional
    ``source``, ``kind`` and ``part`` (``train``, ``val``, ``test``). Without ``part`` rows are
    split by registered domain, 70 : 10 : 20, the same way every time. Rows that canonicalise to
    the same text count once; texts with both labels are left out. Both are counted.

    Raises:
        DataError: the file cannot be read, lacks a column, holds a label other than 0 and 1,
            or leaves a ``needed`` part of the split without both labels.
    """
    counts: Counter[str] = Counter()
    rows: dict[str, _Row | None] = {}
    for row in _read_rows(path, kind, counts):
        text = row.canonical.text
        known = rows.get(text, row)
        if known is row and text not in rows:
            rows[text] = row
        elif known is None or known.label == row.label:
            counts["duplicate"] += 1
        else:
            counts["contradicting"] += 1
            rows[text] = None
    kept = [row for row in rows.values() if row is not None]
    dataset = Dataset(
        texts=[row.canonical.text for row in kept],
        labels=np.array([row.label for row in kept], dtype=np.int8),
        parts=np.array([row.part for row in kept], dtype=np.str_),
        sources=np.array([row.source for row in kept], dtype=np.str_),
        kinds=np.array([row.kind for row in kept], dtype=np.str_),
        counts=dict(counts),
    )
    for part in needed:
        labels = set(dataset.labels[dataset.parts == part].tolist())
        if labels != {0, 1}:
            missing = "malicious" if 1 not in labels else "benign"
            raise DataError(
                f"{path}: the part '{part}' has no {missing} row; "
                f"{len(kept)} rows are too few or are of one class only"
            )
    return dataset


def read_licences(path: Path, kind: Kind) -> dict[str, tuple[str, str]]:
    """(licence, origin) by source, from a CSV file with columns ``source`` and ``licence``.

    Optional columns: ``repository`` (where it is from) and ``file`` (rows that name another
    kind's file there are passed over). One row may name several sources, separated by commas.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding=_ENCODING, newline="") as file:
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


def _read_rows(path: Path, kind: Kind, counts: Counter[str]) -> Iterator[_Row]:
    try:
        with _open(path) as file:
            reader = csv.DictReader(file)
            missing = {kind, "label"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: no column {', '.join(sorted(missing))}; it has "
                    f"{', '.join(reader.fieldnames or ()) or 'nothing'}"
                )
            for row in reader:
                counts["read"] += 1
                label = row["label"]
                if label not in {"0", "1"}:
                    raise DataError(
                        f"{path}, line {reader.line_num}: label {label!r} is neither 0 nor 1"
                    )
                canonical = canonicalise(kind, row[kind] or "")
                if not isinstance(canonical, Canonical):
                    counts["refused"] += 1
                    continue
                part = row.get("part") or _part_of(canonical.registered_domain)
                if part not in PARTS:
                    raise DataError(
                        f"{path}, line {reader.line_num}: part {part!r} is not one of "
                        f"{', '.join(PARTS)}"
                    )
                yield _Row(
                    canonical, int(label), part, row.get("source") or "", row.get("kind") or ""
                )
    except csv.Error as error:
        # The inner reader's count: a DictReader's own stands at the last row that was sound.
        raise DataError(f"{path}, line {reader.reader.line_num}: {error}") from error
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=_ENCODING, newline="")
    return path.open(encoding=_ENCODING, newline="")


def _part_of(registered_domain: str) -> Part:
    """The part of a domain, by hash: no domain is in two parts, whatever else is read."""
    share = zlib.crc32(registered_domain.encode()) % 100
    if share < _TEST_PERCENT:
        return "test"
    return "val" if share < _TEST_PERCENT + _VALIDATION_PERCENT else "train"
