"""Compares two windows of verdicts with each other and with the bundle's reference.

Scores and statistics are compared over distinct texts of each input topic, as a reference has each
text once and a worker scores it once; shares of malicious and suspicious are of all verdicts.
Scores are compared with those of the same model. Statistics of the input do not depend on a model:
they are compared over all models of a kind, so that a switch of models keeps their baseline.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from stream_detector.errors import StreamDetectorError
from stream_detector.models.reference import BINS
from stream_detector.settings.fields import Settings
from stream_detector.terminal.durations import written
from stream_detector.terminal.progress import Progress
from trainer.drift.distributions import compared_groups, score_bins, statistic_drift
from trainer.drift.findings import Counts, Drift, ModelDrift, Window
from trainer.drift.reading import read_files, read_topic
from trainer.drift.references import References
from trainer.drift.verdicts import ModelKey, Rows, Verdicts, first_of_text

_Halves = tuple[Rows, Rows]
"""The recent window and the baseline."""


def drift_report(
    settings: Settings,
    references: References,
    *,
    since: timedelta,
    baseline: timedelta,
    files: Sequence[Path],
    sample: int,
    groups_shown: int,
    progress: Progress,
) -> Drift:
    """Read verdicts from Kafka, or from ``files``, and compare the last ``since`` with before.

    Args:
        settings: the way to Kafka, and its topics.
        references: of the models.
        since: length of the recent window, back from now or from the last verdict of ``files``.
        baseline: length of the window before it.
        files: instead of Kafka, if there are any.
        sample: at most so many verdicts of each partition and window.
        groups_shown: name at most so many domains of each sort.
        progress: shows the stages.

    Raises:
        StreamDetectorError: no verdict of a model is in the recent window; or as ``read_topic``
            and ``read_files``.
    """
    end = datetime.now(UTC)
    with progress.stage("reading files" if files else "reading verdicts") as stage:
        if files:
            verdicts = read_files(files, stage=stage)
            if verdicts.latest > float("-inf"):
                # The window excludes its end; a moment later it includes the last verdict.
                end = datetime.fromtimestamp(verdicts.latest, UTC) + timedelta(milliseconds=1)
        else:
            times = (end - since - baseline, end - since, end)
            verdicts = read_topic(settings, times, sample=sample, stage=stage)
    with progress.stage("comparing"):
        recent = Window(end - since, end)
        before = Window(recent.start - baseline, recent.start)
        found = compare(verdicts, recent, before, references, groups_shown=groups_shown)
    if not found.models:
        raise StreamDetectorError(
            f"no model's verdict of the last {written(since)} was found"
            + (f" ({found.malformed:,} records are no verdicts)" if found.malformed else "")
            + ": give a longer --since"
            + (", or another --file" if files else ", or the worker's topics")
        )
    return found


def compare(
    verdicts: Verdicts,
    recent: Window,
    baseline: Window,
    references: References,
    *,
    groups_shown: int,
) -> Drift:
    """Compare the windows, for each model that scored something in the recent one."""

    def rows_of(window: Window, rows: Rows) -> Rows:
        times = rows["detected_at"]
        return rows[(times >= window.start.timestamp()) & (times < window.end.timestamp())]

    halves: dict[ModelKey, _Halves] = {
        key: (rows_of(recent, rows), rows_of(baseline, rows))
        for key, rows in verdicts.models().items()
    }
    return Drift(
        recent=recent,
        baseline=baseline,
        by_list=verdicts.by_list,
        malformed=verdicts.malformed,
        models=[
            _of_model(key, halves, references, verdicts, groups_shown)
            for key, (scored, _) in sorted(halves.items(), key=lambda item: -len(item[1][0]))
            if len(scored)
        ],
    )


def _of_model(
    key: ModelKey,
    halves: Mapping[ModelKey, _Halves],
    references: References,
    verdicts: Verdicts,
    groups_shown: int,
) -> ModelDrift:
    recent, own_baseline = halves[key]
    of_kind = [each for other, each in halves.items() if other.kind == key.kind]
    recent_of_kind, baseline_of_kind = (np.concatenate(each) for each in zip(*of_kind, strict=True))
    has_own = len(own_baseline) > 0
    # A new model has no past: the flagged share of those before it is the best baseline there is.
    baseline = own_baseline if has_own else baseline_of_kind
    own_texts = _texts(recent, own_baseline)
    texts_of_kind = _texts(recent_of_kind, baseline_of_kind)
    reference, no_reference = references.of(key)
    statistics = [
        statistic_drift(name, edges, *(own_texts if name == "score" else texts_of_kind), reference)
        for name, edges in BINS[key.kind].items()
    ]
    bins = score_bins(BINS[key.kind]["score"], *own_texts, reference)
    first_at = datetime.fromtimestamp(float(recent["detected_at"].min()), UTC)
    return ModelDrift(
        kind=key.kind,
        model=key.ref.name,
        version=key.ref.version,
        sha256=key.ref.sha256,
        recent=_counts(recent),
        baseline=_counts(baseline),
        serves_from=None if has_own or not len(baseline) else first_at,
        reference_rows=None if reference is None else reference.rows,
        explained="baseline" if has_own else "reference",
        statistics=statistics,
        topics=compared_groups("topic", recent, baseline, bins, [*verdicts.topics], 0),
        domains=compared_groups(
            "domain", recent, baseline, bins, [*verdicts.domains], groups_shown
        ),
        remarks=[*_remarks(key, halves), *([no_reference] if no_reference else [])],
    )


def _remarks(key: ModelKey, halves: Mapping[ModelKey, _Halves]) -> list[str]:
    others = ", ".join(
        f"{other.ref.name} {other.ref.version} ({other.ref.short}) with {len(baseline):,} verdicts"
        for other, (_, baseline) in halves.items()
        if other.kind == key.kind and other != key and len(baseline)
    )
    if not others:
        return []
    if len(halves[key][1]):
        return [
            f"In the baseline window {others} served too: inputs are compared with theirs as well, "
            "scores and the flagged share only with its own."
        ]
    return [
        f"Before it served {others}: inputs, domains and the flagged share are compared with "
        "theirs."
    ]


def _texts(recent: Rows, baseline: Rows) -> _Halves:
    """The first verdict of each text, of either window."""
    return recent[first_of_text(recent)], baseline[first_of_text(baseline)]


def _counts(rows: Rows) -> Counts:
    return Counts(len(rows), int(first_of_text(rows).sum()), int(rows["is_flagged"].sum()))
