"""How well a model detects sources that it never saw: leave-one-source-out.

A fold leaves one malicious source and some benign sources out of training at once: trainings take
the time, and the other benign sources set the threshold for the held-out ones, so neither figure
needs a training of its own. Every fold leaves out about as many benign rows, so that all malicious
sources are measured under the same conditions.
"""

import fnmatch
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector import __version__
from stream_detector.canonical import registered_domain
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.examples.readers import DataError
from trainer.examples.splits import parts_without
from trainer.examples.texts import take_apart
from trainer.families.base import Family
from trainer.measuring.evaluation import (
    Detection,
    detection,
    roc_auc,
    share_flagged,
    threshold_at,
)
from trainer.measuring.statistics import Interval

GroupBy = Literal["source", "kind"]
"""A malicious group: the rows of one source, or of one kind from all sources."""

FLAGGED_FPR = 0.01
"""False-positive rate of the threshold for held-out benign sources."""

_RATES = (0.01, 0.001)

_OF_CORPUS = 4000
"""Least malicious rows of a held-out group: fewer say little, and each costs a training."""
_OF_SAMPLE = 100
"""The same if no group of the data has so many, for a first look."""


class Fold(msgspec.Struct, frozen=True):
    """The sources that one training leaves out."""

    malicious: str
    """Name of the malicious group, or ""."""
    benign: tuple[str, ...]
    """Names of the benign sources."""

    def __str__(self) -> str:
        many = len(self.benign) > 1
        benign = [f"{len(self.benign)} benign sources"] if many else map(repr, self.benign)
        return " and ".join([*([repr(self.malicious)] if self.malicious else []), *benign])


class HeldOutMalicious(msgspec.Struct, frozen=True):
    """A malicious group that the model never saw, against benign rows of the test part."""

    name: str
    rows: int
    roc_auc: float
    detections: list[Detection]
    """At false-positive rates of 1% and 0.1%."""


class HeldOutBenign(msgspec.Struct, frozen=True):
    """A benign source that the model never saw."""

    name: str
    rows: int
    flagged: Interval
    """Share at or above the threshold that flags 1% of the test part's benign rows."""


class Training(msgspec.Struct, frozen=True):
    """One family, trained without the rows that a fold holds out, and measured on them."""

    identity: str
    """Differs from that of other data or options."""
    family: str
    fold: Fold
    train_rows: int
    benign_test_rows: int
    """Rows of the test part from other sources, which set the thresholds."""
    seconds: float
    malicious: HeldOutMalicious | None
    benign: list[HeldOutBenign]


class HoldOut:
    """The folds over one set of rows.

    The constructor finds the groups and checks all folds, before any training.

    Attributes:
        by: how malicious rows are grouped.
        folds: each with the sources that it holds out.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        by: GroupBy = "source",
        at_least: int | None = None,
        only: Sequence[str] = (),
        benign_folds: int = 4,
    ) -> None:
        """Plan the folds: as many as malicious groups or as benign ones, whichever are more.

        Args:
            dataset: rows with parts, and with the names of their sources.
            by: how malicious rows are grouped.
            at_least: least rows of a malicious group to hold out; smaller ones always stay in. By
                default 4,000, or 100 if no group has so many.
            only: shell patterns; if given, malicious groups that match none stay in.
            benign_folds: number of groups of benign sources, of about as many rows each; each fold
                holds one out. 0 holds none out.

        Raises:
            DataError: there is nothing to hold out, or a fold leaves nothing to train on.
        """
        self._dataset = dataset
        self.by = by
        self._malicious = np.where(
            dataset.labels == 1, dataset.kinds if by == "kind" else dataset.sources, ""
        )
        names = [registered_domain(take_apart(text).host) for text in dataset.texts]
        self._domains = np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1]
        self._digest = _digest(dataset)
        groups = self._malicious_groups(at_least, only)
        benign = _dealt(_counted(dataset.sources[dataset.labels == 0]), benign_folds)
        self.folds = [
            Fold(
                groups[place] if place < len(groups) else "",
                benign[place % len(benign)] if benign else (),
            )
            for place in range(max(len(groups), len(benign)))
        ]
        for fold in self.folds:
            self._check(fold)

    def identity(self, fold: Fold, family: str, *options: object) -> str:
        """A digest of a training: of its data, fold, family and ``options``."""
        parts = (__version__, self._digest, self.by, fold, family, options)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def train(
        self, fold: Fold, family: Family, *, identity: str, seed: int, progress: Progress
    ) -> Training:
        """Fit ``family`` without the rows that ``fold`` holds out, and measure it on them."""
        started = time.monotonic()
        dataset = self._dataset
        held, parts = self._without(fold)
        train = dataset.rows(np.flatnonzero(parts == "train"))
        fitted = family.fit(
            train, dataset.rows(np.flatnonzero(parts == "val")), seed=seed, progress=progress
        )
        # Only benign rows of sources that were trained on set the threshold, as in production.
        of_test = (parts == "test") & (dataset.labels == 0)
        measured = np.flatnonzero(held | of_test)
        scores = np.full(len(dataset.texts), np.nan, np.float32)
        with progress.stage(f"{family.name}: scoring {len(measured):,} rows"):
            scores[measured] = fitted.scores([dataset.texts[row] for row in measured])
        benign, malicious = scores[of_test], scores[self._malicious == fold.malicious]
        threshold = threshold_at(benign, FLAGGED_FPR)
        return Training(
            identity=identity,
            family=family.name,
            fold=fold,
            train_rows=len(train.texts),
            benign_test_rows=len(benign),
            seconds=time.monotonic() - started,
            malicious=HeldOutMalicious(
                fold.malicious,
                len(malicious),
                roc_auc(malicious, benign),
                [detection(benign, malicious, rate) for rate in _RATES],
            )
            if fold.malicious
            else None,
            benign=[
                HeldOutBenign(name, len(one), share_flagged(one, threshold))
                for name in fold.benign
                for one in [scores[(dataset.sources == name) & (dataset.labels == 0)]]
            ],
        )

    def _malicious_groups(self, at_least: int | None, only: Sequence[str]) -> list[str]:
        """Names of the groups to hold out, largest first."""
        counted = _counted(self._malicious)
        matching = {
            name: rows
            for name, rows in counted.items()
            if not only or any(fnmatch.fnmatchcase(name, pattern) for pattern in only)
        }
        if at_least is None:
            of_corpus = max(matching.values(), default=0) >= _OF_CORPUS
            at_least = _OF_CORPUS if of_corpus else _OF_SAMPLE
        groups = [name for name, rows in matching.items() if rows >= at_least]
        if not groups:
            there = ", ".join(f"{name} ({rows:,})" for name, rows in list(counted.items())[:8])
            of_those = f" of those that --only names ({', '.join(only)})" if only else ""
            raise DataError(
                f"no malicious {self.by}{of_those} has {at_least:,} rows; there are: "
                f"{there or 'none with a name'}. Give --at-least a lower number, or other data"
            )
        return groups

    def _without(self, fold: Fold) -> tuple[NDArray[np.bool_], NDArray[np.str_]]:
        """Which rows are held out, and the parts of the others."""
        sources = [*fold.benign]
        if self.by == "source" and fold.malicious:
            sources.append(fold.malicious)
        held = np.isin(self._dataset.sources, sources)
        if fold.malicious:
            held |= self._malicious == fold.malicious
        return held, parts_without(self._dataset.parts, self._domains, held)

    def _check(self, fold: Fold) -> None:
        labels = self._dataset.labels
        _, parts = self._without(fold)
        for part, needed in (("train", (0, 1)), ("val", (0, 1)), ("test", (0,))):
            for label in needed:
                if not np.any((parts == part) & (labels == label)):
                    lacking = "malicious" if label else "benign"
                    raise DataError(
                        f"without the sources {fold} and their domains the part '{part}' has no "
                        f"{lacking} row left: give data with more {lacking} sources, or leave out "
                        "kinds of malice with --group kind"
                    )


def _counted(names: NDArray[np.str_]) -> dict[str, int]:
    """Rows by name, most first; without those that have no name."""
    counts = Counter(name for name in names.tolist() if name)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _dealt(rows_of: dict[str, int], folds: int) -> list[tuple[str, ...]]:
    """Deal sources to at most ``folds`` groups of about as many rows; none if one got them all."""
    if min(folds, len(rows_of)) < 2:
        return []
    groups: list[list[str]] = [[] for _ in range(min(folds, len(rows_of)))]
    for name in rows_of:
        min(groups, key=lambda group: sum(map(rows_of.__getitem__, group))).append(name)
    return [tuple(sorted(group)) for group in groups]


def _digest(dataset: Dataset) -> str:
    digest = hashlib.sha256(dataset.labels.tobytes())
    columns = (dataset.texts, dataset.parts.tolist(), dataset.sources.tolist(), dataset.kinds)
    for row in zip(*columns, strict=True):
        digest.update("\t".join(row).encode() + b"\n")
    return digest.hexdigest()
