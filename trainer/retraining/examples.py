"""What a retraining learns from, and what it is measured on: a base corpus, and labels on top.

- The base corpus' test part is the hold-out. Labels never enter it: those of its registered
  domains are left out, for good, so that the hold-out stays the same rows from one retraining to
  the next and no model has been told of them.
- The newest labels are held out by time: the challenger is asked for what it was not told.
- The others are trained on, each visited several times an epoch, the more the newer it is. A
  label goes before the corpus: a base row of the same text is left out.
- The validation part, which sets calibration and thresholds, loses the domains of labels that are
  trained on.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import registered_domain
from stream_detector.events import Kind
from trainer.datasets import Census, Dataset, census_of
from trainer.labels.resolution import ResolvedLabel
from trainer.texts import take_apart

__all__ = ["LabelRules", "RetrainingExamples", "retraining_examples"]

_SECONDS_A_DAY = 86_400.0


class LabelRules(NamedTuple):
    """How labels count beside the base corpus."""

    visits: float = 16.0
    """How often an epoch visits the newest label; a row of the base corpus is visited once. A
    heavier row in one step would only be clipped."""
    half_life_days: float = 90.0
    """Age beyond the newest label's at which half of what is above one visit is left."""
    newest_share: float = 0.1
    """Share of the labels, the newest, that is held out."""
    newest_from: int = 100
    """Fewer labels than these are all trained on: a tenth of them would tell nothing."""


class RetrainingExamples(NamedTuple):
    """Rows by what they are for."""

    base: Dataset
    """Rows of the base corpus to train on."""
    labelled: Dataset
    """Labels to train on, each as often as an epoch visits it."""
    held: Dataset
    """Validation (``val``) and hold-out (``test``), of the base corpus alone."""
    newest: Dataset | None
    """Labels held out by time; None where there are too few."""
    census: Census
    labels_sha256: str
    """Of the labels that count, whatever they are used for."""
    counts: dict[str, int]
    """Labels by what became of them."""

    @property
    def train(self) -> Dataset:
        """All rows to train on: the base corpus', then the labels."""
        return _joined(self.base, self.labelled)


def retraining_examples(
    base: Dataset, labels: Iterable[ResolvedLabel], kind: Kind, rules: LabelRules, *, seed: int
) -> RetrainingExamples:
    """Put ``labels`` of ``kind`` on top of ``base``, by the rules above.

    The same arguments give the same rows: ages are reckoned from the newest label, not from now,
    and fractions of a visit are drawn by ``seed``.
    """
    counting = sorted(
        (each for each in labels if kind in each.kinds),
        key=lambda each: (each.winner.label.labeled_at, each.text),
    )
    base_domains = np.array([registered_domain(take_apart(text).host) for text in base.texts])
    held_out = set(base_domains[base.parts == "test"].tolist())
    usable = [each for each in counting if _domain(each) not in held_out]
    newest_count = int(len(usable) * rules.newest_share) if len(usable) >= rules.newest_from else 0
    told, newest = usable[: len(usable) - newest_count], usable[len(usable) - newest_count :]

    relabelled = {each.text for each in usable}
    kept = np.array([text not in relabelled for text in base.texts], np.bool_)
    told_domains = {_domain(each) for each in told}
    known = np.array([domain in told_domains for domain in base_domains.tolist()], np.bool_)
    validation = base.rows(np.flatnonzero((base.parts == "val") & ~known))
    hold_out = base.of_part("test")
    trained = base.rows(np.flatnonzero((base.parts == "train") & kept))

    labelled = _dataset(told)
    visits = _visits(told, rules, seed)
    return RetrainingExamples(
        base=trained,
        labelled=labelled.rows(np.repeat(np.arange(len(told)), visits)),
        held=_joined(validation, hold_out),
        newest=_dataset(newest) if newest else None,
        census=_census(trained, validation, hold_out, labelled, rules),
        labels_sha256=_digest(counting),
        counts={
            "of this kind": len(counting),
            "trained on": len(told),
            "held out, the newest": len(newest),
            "left out, of the hold-out's domains": len(counting) - len(usable),
        },
    )


def _domain(label: ResolvedLabel) -> str:
    return label.winner.label.canonical.registered_domain


def _visits(labels: Sequence[ResolvedLabel], rules: LabelRules, seed: int) -> NDArray[np.int64]:
    """Visits an epoch, at least one each; shape ``[labels]``. ``labels`` are in order of time."""
    times = np.array([each.winner.label.labeled_at.timestamp() for each in labels], np.float64)
    days = (times[-1] - times) / _SECONDS_A_DAY if len(times) else times
    wanted = 1 + (rules.visits - 1) * 0.5 ** (days / rules.half_life_days)
    drawn = np.random.default_rng(seed).random(len(labels))
    return np.maximum(1, np.floor(wanted + drawn)).astype(np.int64)


def _dataset(labels: Sequence[ResolvedLabel]) -> Dataset:
    return Dataset(
        texts=[each.text for each in labels],
        labels=np.array([each.label == "malicious" for each in labels], np.int8),
        parts=np.full(len(labels), "train", "<U5"),
        sources=np.array([f"labels: {each.winner.label.source}" for each in labels], np.str_),
        kinds=np.full(len(labels), "", np.str_),
        counts={},
        times=np.array([each.winner.label.labeled_at.timestamp() for each in labels], np.float64),
    )


def _joined(first: Dataset, second: Dataset) -> Dataset:
    """The rows of both; counts and leaks are the first's."""
    times = None
    if first.times is not None and second.times is not None:
        times = np.concatenate([first.times, second.times])
    return first._replace(
        texts=[*first.texts, *second.texts],
        labels=np.concatenate([first.labels, second.labels]),
        parts=np.concatenate([first.parts, second.parts]),
        sources=np.concatenate([first.sources, second.sources]),
        kinds=np.concatenate([first.kinds, second.kinds]),
        times=times,
    )


def _census(
    trained: Dataset, validation: Dataset, hold_out: Dataset, labelled: Dataset, rules: LabelRules
) -> Census:
    """Each row counted once, however often it is visited."""
    sources: Counter[str] = Counter()
    malicious: Counter[str] = Counter()
    for rows in (trained, validation, hold_out, labelled):
        for source, (count, bad) in census_of(rows).sources.items():
            sources[source] += count
            malicious[source] += bad
    return Census(
        parts={
            "train": len(trained.texts) + len(labelled.texts),
            "val": len(validation.texts),
            "test": len(hold_out.texts),
        },
        sources={source: (count, malicious[source]) for source, count in sources.items()},
        remark=f"; on top {len(labelled.texts)} labels, visited up to {rules.visits:g} times an "
        "epoch, none of the test part's domains",
    )


def _digest(labels: Sequence[ResolvedLabel]) -> str:
    digest = hashlib.sha256()
    for each in labels:
        label = each.winner.label
        digest.update(f"{each.text} {each.label} {label.labeled_at.isoformat()}\n".encode())
    return digest.hexdigest()
