"""Rows of labelled files, their texts in canonical form, one after the other."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Kind
from stream_detector.sources.times import to_time
from stream_detector.terminal.printable import printable
from trainer.examples.readers import BadRow, DataError, Row, has_columns, read_rows
from trainer.examples.splits import PARTS, Part, Split, part_by_hash

_SHOWN_CHARACTERS_MAX = 120

_SUSPECT = 0.8
"""Balanced accuracy of a leak."""
_LEAK_ROWS_MIN = 50
"""Rows of each label below which chance makes leaks."""

_ARTEFACTS = {"[**qmark**]": "?", "%5B%2A%2Aqmark%2A%2A%5D": "?"}
"""Replacements of question marks in the study's collection, plain and percent-encoded."""


class Examples(NamedTuple):
    """Which files hold the examples, and how to read them."""

    files: tuple[Path, ...]
    """With a label in each row."""
    benign: tuple[Path, ...] = ()
    malicious: tuple[Path, ...] = ()
    """Files whose rows all have this label; a label column is ignored."""
    extra: tuple[Path, ...] = ()
    """Files as ``files`` whose rows only the training part gets. Rows of their registered domains
    are left out of all other parts."""
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


class Example(NamedTuple):
    """One row as a file has it, its text in canonical form."""

    text: str
    label: int
    part: str
    """As the file has it; may be empty."""
    source: str
    kind: str
    domain: str = ""
    """The registered domain."""
    time: float = float("nan")
    """Seconds since the epoch, or NaN."""
    extra: bool = False
    """Only for training, whatever the split."""

    def part_by(self, split: Split) -> Part:
        """The part, seen from this row only; for ``column``, ``domain`` and ``random``."""
        if split == "column" and self.part:
            return self.part  # type: ignore[return-value] # the reader checked it
        return part_by_hash(self.text if split == "random" else self.domain)


class Leak(NamedTuple):
    """A single property that gives the label away, so that a model learns the collection.

    It is a yes or no of a row's canonical text, the text that models read: without the scheme,
    ``www.`` and a lone ``/``. The measure is from 0.5 (no leak) to 1.0.
    """

    what: str
    balanced_accuracy: float

    def __str__(self) -> str:
        return f"{self.what} gives the label away, balanced accuracy {self.balanced_accuracy:.2f}"


class LeakSearch:
    """Counts how often each property holds among benign and malicious rows."""

    def __init__(self) -> None:
        self._rows: Counter[int] = Counter()
        self._holds: dict[int, Counter[str]] = {0: Counter(), 1: Counter()}

    def add(self, text: str, label: int) -> None:
        """Count a row by its canonical text."""
        self._rows[label] += 1
        holds = self._holds[label]
        if "/" in text:
            holds["a path"] += 1
        marks = {letter for letter in text if not letter.isalnum()} - {"/"}
        holds.update({f"the character {mark!r}" for mark in marks})

    def leaks(self) -> list[Leak]:
        """The leaks, worst first."""
        benign, malicious = self._rows[0], self._rows[1]
        if min(benign, malicious) < _LEAK_ROWS_MIN:
            return []
        found = []
        for what in set(self._holds[0]) | set(self._holds[1]):
            difference = self._holds[1][what] / malicious - self._holds[0][what] / benign
            accuracy = 0.5 + abs(difference) / 2
            if accuracy >= _SUSPECT:
                found.append(Leak(what, accuracy))
        return sorted(found, key=lambda leak: (-leak.balanced_accuracy, leak.what))


def read_examples(
    examples: Examples, kind: Kind, counts: Counter[str], search: LeakSearch
) -> Iterator[Example]:
    """Yield all rows that can be used, file after file; holds none.

    Adds the rows ``read``, ``bad`` and ``refused`` to ``counts``, and those it yields to
    ``search``.

    Raises:
        DataError: as ``read_dataset`` has it.
    """
    for path, label, extra in [
        *((path, None, False) for path in examples.files),
        *((path, 0, False) for path in examples.benign),
        *((path, 1, False) for path in examples.malicious),
        *((path, None, True) for path in examples.extra),
    ]:
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
    """The example; a fault of the row; or None if the text is not a URL or host name."""
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
                f"({_listed(examples.benign_labels)}): name the labels with --malicious-label "
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
    time = to_time(values.get("time"))
    return Example(
        text=canonical.text,
        label=label,
        part=part,
        source=values.get("source", ""),
        kind=values.get("kind", ""),
        domain=canonical.registered_domain,
        time=time.timestamp() if time else float("nan"),
    )


def _shown(text: str) -> str:
    """Text of a file, for one line of a message."""
    shown = printable(text[:_SHOWN_CHARACTERS_MAX])
    return shown if len(text) <= _SHOWN_CHARACTERS_MAX else f"{shown}..."


def _listed(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "none"
