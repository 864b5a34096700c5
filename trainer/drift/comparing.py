"""Two windows of verdicts held against each other and against the bundle's reference.

Scores and statistics are compared over distinct texts of each input topic, as a reference has each
text once and a worker scores it once; shares of malicious and suspicious are of all verdicts.
Scores are compared with those of the same model. Statistics of the input have no model in them:
they are compared over all models of a kind, so that a switch of models leaves them their baseline.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.reference import BINS, Reference
from stream_detector.settings.fields import Settings
from stream_detector.terminal.durations import written
from stream_detector.terminal.progress import Progress
from trainer.drift.distributions import compared_groups, score_bins, statistic_drift
from trainer.drift.findings import Counts, Drift, ModelDrift, Window
from trainer.drift.reading import read_files, read_topic
from trainer.drift.references import References
from trainer.drift.verdicts import Columns, ModelKey, Verdicts, joined

_Halves = tuple[Columns, Columns]
"""The recent window and the baseline."""


class Windows(NamedTuple):
    """The baseline is what lies before the recent window."""

    baseline_start: datetime
    recent_start: datetime
    end: datetime


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
        settings: say where Kafka and its topics are.
        references: of the models.
        since: length of the recent window, back from now or from the last verdict of ``files``.
        baseline: length of the window before it.
        files: instead of Kafka, if there are any.
        sample: at most so many verdicts of each partition and window.
        groups_shown: at most so many domains are named of each sort.
        progress: shows what is done.

    Raises:
        StreamDetectorError: no verdict of a model is in the recent window; or as ``read_topic``
            and ``read_files``.
    """
    end = datetime.now(UTC)
    with progress.stage("reading files" if files else "reading verdicts") as stage:

        def on_progress(done: int, total: int) -> None:
            stage.update(done, total=total)

        if files:
            verdicts = read_files(files, on_progress=on_progress)
        else:
            times = (end - since - baseline, end - since, end)
            verdicts = read_topic(settings, times, sample=sample, on_progress=on_progress)
    if files and verdicts.has_any:
        # The window excludes its end; a moment later it includes the last verdict.
        end = datetime.fromtimestamp(verdicts.latest, UTC) + timedelta(milliseconds=1)
    with progress.stage("comparing"):
        windows = Windows(end - since - baseline, end - since, end)
        found = compare(verdicts, windows, references, groups_shown=groups_shown)
    if not found.models:
        raise StreamDetectorError(
            f"no model's verdict of the last {written(since)} was found"
            + (f" ({found.malformed:,} records are no verdicts)" if found.malformed else "")
            + ": give a longer --since"
            + (", or another --file" if files else ", or the worker's topics")
        )
    return found


def compare(
    verdicts: Verdicts, windows: Windows, references: References, *, groups_shown: int
) -> Drift:
    """Compare the windows, for each model that scored something in the recent one."""
    start, middle, end = (moment.timestamp() for moment in windows)
    halves: dict[ModelKey, _Halves] = {}
    for key, columns in verdicts.models().items():
        times = columns.detected_at
        recent = columns.rows((times >= middle) & (times < end))
        baseline = columns.rows((times >= start) & (times < middle))
        halves[key] = recent, baseline
    models = []
    for key, own in sorted(halves.items(), key=lambda item: -item[1][0].row_count):
        if not own[0].row_count:
            continue
        remarks = _remarks(key, halves)
        found = references.of(key)
        if found.remark:
            remarks.append(found.remark)
        models.append(
            _of_model(
                key,
                own,
                _of_kind(key.kind, halves),
                found.reference,
                names=(verdicts.topics, verdicts.domains),
                groups_shown=groups_shown,
                remarks=remarks,
            )
        )
    return Drift(
        recent=Window(windows.recent_start.astimezone(UTC), windows.end.astimezone(UTC)),
        baseline=Window(
            windows.baseline_start.astimezone(UTC), windows.recent_start.astimezone(UTC)
        ),
        by_list=verdicts.by_list,
        malformed=verdicts.malformed,
        models=models,
    )


def _of_kind(kind: Kind, halves: Mapping[ModelKey, _Halves]) -> _Halves:
    """What all models of ``kind`` scored."""
    of_kind = [windows for key, windows in halves.items() if key.kind == kind]
    return joined([recent for recent, _ in of_kind]), joined([before for _, before in of_kind])


def _remarks(key: ModelKey, halves: Mapping[ModelKey, _Halves]) -> list[str]:
    others = {
        f"{other.ref.name} {other.ref.version} ({other.ref.short})": baseline.row_count
        for other, (_, baseline) in halves.items()
        if other.kind == key.kind and other != key and baseline.row_count
    }
    if not others:
        return []
    told = ", ".join(f"{name} with {rows:,} verdicts" for name, rows in others.items())
    if halves[key][1].row_count:
        return [
            f"In the baseline window {told} served too: inputs are compared with theirs as well, "
            "scores and the flagged share with its own alone."
        ]
    return [
        f"Before it served {told}: inputs, domains and the flagged share are compared with theirs."
    ]


def _of_model(
    key: ModelKey,
    own: _Halves,
    of_kind: _Halves,
    reference: Reference | None,
    *,
    names: tuple[Sequence[str], Sequence[str]],
    groups_shown: int,
    remarks: list[str],
) -> ModelDrift:
    recent, own_baseline = own
    has_own = own_baseline.row_count > 0
    baseline = own_baseline if has_own else of_kind[1]
    own_texts, texts_of_kind = _texts(own), _texts(of_kind)
    statistics = [
        statistic_drift(name, edges, *(own_texts if name == "score" else texts_of_kind), reference)
        for name, edges in BINS[key.kind].items()
    ]
    bins = score_bins(BINS[key.kind]["score"], *own_texts, reference)
    windows = recent, baseline
    topic_names, domain_names = names
    return ModelDrift(
        kind=key.kind,
        model=key.ref.name,
        version=key.ref.version,
        sha256=key.ref.sha256,
        recent=_counts(recent),
        baseline=_counts(baseline),
        serves_from=None if has_own or not baseline.row_count else _first_at(recent),
        reference_rows=None if reference is None else reference.rows,
        explained="baseline" if has_own else "reference",
        statistics=statistics,
        topics=compared_groups([part.topics for part in windows], windows, bins, topic_names, 0),
        domains=compared_groups(
            [part.domains for part in windows], windows, bins, domain_names, groups_shown
        ),
        remarks=remarks,
    )


def _texts(windows: _Halves) -> _Halves:
    """The first verdict of each text, of either window."""
    recent, baseline = (window.rows(window.is_first_of_text()) for window in windows)
    return recent, baseline


def _counts(columns: Columns) -> Counts:
    texts = int(columns.is_first_of_text().sum())
    return Counts(columns.row_count, texts, int(columns.is_flagged.sum()))


def _first_at(columns: Columns) -> datetime:
    return datetime.fromtimestamp(float(columns.detected_at.min()), UTC)
