"""Chooses the rows of a retraining, to train and to measure on: a base corpus, and labels on top.

- The base corpus' test part is the hold-out. Labels never enter it: those of its registered
  domains are left out for good, so that the hold-out stays the same rows from one retraining to
  the next and no model has been trained on them.
- The newest labels of each voice are held out by time, to measure the challenger on labels that it
  was not trained on. Of each voice, so that one that writes much does not fill the measurement.
- The others are trained on, each visited several times an epoch, the more the newer it is. A label
  overrides the corpus: a base row of the same text is left out.
- No voice has more than its share of an epoch: labels of one above it are visited less often, or
  left out. An analyst or a feed is a voice where a key proves the name. All analysts without a key
  are one voice together, and so are all feeds: else inventing names would give a larger share.
- The validation part, which sets calibration and thresholds, loses the domains of labels that are
  trained on.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import registered_domain
from stream_detector.events import Kind
from stream_detector.wire.labels import is_feed, voice_of
from trainer.examples.datasets import Census, Dataset
from trainer.examples.shares import limits
from trainer.examples.texts import take_apart
from trainer.gate.labels import VoiceLabels, VoicesOfRows
from trainer.labels.resolution import ResolvedLabel

_SECONDS_A_DAY = 86_400.0


class LabelRules(NamedTuple):
    """The weight of labels next to the base corpus."""

    visits: float = 16.0
    """How often an epoch visits the newest label; a row of the base corpus is visited once. A
    heavier row in one step would only be clipped."""
    half_life_days: float = 90.0
    """Age beyond the newest label's at which a label has half of its visits above the first."""
    newest_share: float = 0.1
    """Share of the labels of each voice, the newest, that is held out."""
    newest_from: int = 100
    """Fewer labels than these are all trained on: a tenth of them is too few to measure on."""
    voice_share: float = 0.2
    """Most of an epoch, of the base corpus' rows and the visits of labels, that one voice has; and
    most of the weight of the newest labels, where there are voices enough."""


class RetrainingExamples(NamedTuple):
    """Rows by their use."""

    base: Dataset
    """Rows of the base corpus to train on."""
    labelled: Dataset
    """Labels to train on, each as often as an epoch visits it."""
    held: Dataset
    """Validation (``val``) and hold-out (``test``), only of the base corpus."""
    newest: Dataset | None
    """Labels held out by time; None where there are too few."""
    newest_voices: VoicesOfRows
    census: Census
    labels_sha256: str
    """Of the labels that count, whatever their use."""
    counts: dict[str, int]
    """Labels by their use."""
    voices: dict[str, VoiceLabels]
    """The largest share first."""

    @property
    def train(self) -> Dataset:
        """All rows to train on: the base corpus', then the labels."""
        return _joined(self.base, self.labelled)


def retraining_examples(
    base: Dataset, labels: Iterable[ResolvedLabel], kind: Kind, rules: LabelRules, *, seed: int
) -> RetrainingExamples:
    """Put ``labels`` of ``kind`` on top of ``base``, by the rules above.

    The same arguments give the same rows: ages count from the newest label, not from now,
    and fractions of a visit are drawn by ``seed``.
    """
    counting = sorted(
        (each for each in labels if kind in each.kinds),
        key=lambda each: (each.winner.label.labeled_at, each.text),
    )
    base_domains = np.array([registered_domain(take_apart(text).host) for text in base.texts])
    held_out = set(base_domains[base.parts == "test"].tolist())
    usable = [each for each in counting if _domain(each) not in held_out]
    offered, newest = _newest_apart(usable, rules)
    base_rows = int(np.sum(base.parts == "train"))
    visits = _visits(offered, rules, base_rows, seed)
    trained_on = [each for each, count in zip(offered, visits.tolist(), strict=True) if count]
    visits = visits[visits > 0]

    relabelled = {each.text for each in (*trained_on, *newest)}
    is_kept = np.array([text not in relabelled for text in base.texts], np.bool_)
    # Thresholds set on domains that were trained on would be too good to hold on others.
    known_domains = sorted({_domain(each) for each in trained_on})
    is_known = np.isin(base_domains, known_domains)
    validation = base.rows(np.flatnonzero((base.parts == "val") & ~is_known))
    hold_out = base.of_part("test")
    trained = base.rows(np.flatnonzero((base.parts == "train") & is_kept))

    digest = hashlib.sha256()
    for each in counting:
        at = each.winner.label.labeled_at.isoformat()
        digest.update(f"{each.text} {each.label} {at}\n".encode())
    labelled = _dataset(trained_on)
    return RetrainingExamples(
        base=trained,
        labelled=labelled.rows(np.repeat(np.arange(len(trained_on)), visits)),
        held=_joined(validation, hold_out),
        newest=_dataset(newest) if newest else None,
        newest_voices=VoicesOfRows(list(map(_voice, newest)), rules.voice_share),
        census=_census(trained, validation, hold_out, labelled, rules),
        labels_sha256=digest.hexdigest(),
        counts={
            "of this kind": len(counting),
            "trained on": len(trained_on),
            "held out, the newest": len(newest),
            "left out, of a voice above its share": len(offered) - len(trained_on),
            "left out, of the hold-out's domains": len(counting) - len(usable),
        },
        voices=_voices(trained_on, visits, base_rows),
    )


def _newest_apart(
    labels: Sequence[ResolvedLabel], rules: LabelRules
) -> tuple[list[ResolvedLabel], list[ResolvedLabel]]:
    """The labels to train on, and the newest of each voice; all in order of time."""
    if len(labels) < rules.newest_from:
        return list(labels), []
    left = {
        voice: count - int(count * rules.newest_share)
        for voice, count in Counter(map(_voice, labels)).items()
    }
    offered: list[ResolvedLabel] = []
    newest: list[ResolvedLabel] = []
    for each in labels:
        (offered if left[_voice(each)] > 0 else newest).append(each)
        left[_voice(each)] -= 1
    return offered, newest


def _domain(label: ResolvedLabel) -> str:
    return label.winner.label.canonical.registered_domain


def _voice(label: ResolvedLabel) -> str:
    """Who said it, as far as a key proves it; anybody can claim a source."""
    winner = label.winner
    if winner.signed:
        return voice_of(winner.label)
    return "feeds without a key" if is_feed(winner.label) else "analysts without a key"


def _visits(
    labels: Sequence[ResolvedLabel], rules: LabelRules, base_rows: int, seed: int
) -> NDArray[np.int64]:
    """Visits an epoch, at least one except for voices above their share; shape ``[labels]``.

    ``labels`` are in order of time.
    """
    times = np.array([each.winner.label.labeled_at.timestamp() for each in labels], np.float64)
    days = (times[-1] - times) / _SECONDS_A_DAY if len(times) else times
    # Halved with age: an old campaign must not crowd out a new one, but an old label still counts
    # as a row of the corpus.
    wanted = 1 + (rules.visits - 1) * 0.5 ** (days / rules.half_life_days)
    drawn = np.random.default_rng(seed).random(len(labels))
    visits = np.floor(wanted + drawn).astype(np.int64)
    voices = np.array(list(map(_voice, labels)))
    totals: Counter[str] = Counter()
    for voice, count in zip(voices.tolist(), wanted.tolist(), strict=True):
        totals[voice] += count
    for voice, limit in limits(totals, base_rows, rules.voice_share).items():
        of_voice = np.flatnonzero(voices == voice)
        # One label in so many, evenly over the times, so that the sum is the limit.
        reached = np.cumsum(wanted[of_voice]) * (limit / wanted[of_voice].sum())
        visits[of_voice] = np.diff(np.floor(reached), prepend=0)
    return visits


def _voices(
    labels: Sequence[ResolvedLabel], visits: NDArray[np.int64], base_rows: int
) -> dict[str, VoiceLabels]:
    spoken: defaultdict[str, list[ResolvedLabel]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for each, count in zip(labels, visits.tolist(), strict=True):
        spoken[_voice(each)].append(each)
        counts[_voice(each)] += count
    rows = base_rows + counts.total()
    return {
        voice: VoiceLabels(
            [each.text for each in spoken[voice]],
            [voice_of(each.winner.label) for each in spoken[voice]],
            count / rows,
        )
        for voice, count in counts.most_common()
    }


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
        sources.update(rows.sources.tolist())
        malicious.update(rows.sources[rows.labels == 1].tolist())
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
