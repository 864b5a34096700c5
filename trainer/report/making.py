"""From models and rows to a report: measured one after the other, then compared."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.calibration import Platt
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.scorer import Scorer
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.examples.labelled import Examples
from trainer.families import LENGTH_MAX
from trainer.families.base import Fitted
from trainer.families.known import families
from trainer.measuring.evaluation import fit_platt, verdict_thresholds
from trainer.report.content import Report, content
from trainer.report.figures import Candidate, Difference, Measured, difference, measure_model
from trainer.report.plots import plots
from trainer.report.rendering import write_report
from trainer.training.building import trained_otherwise


def candidate_of_bundle(name: str, bundle: Bundle) -> Candidate:
    """A bundle, scored by the scorer that serves it."""
    kind = bundle.manifest.kind
    scorer = Scorer({kind: bundle}, device=choose_device("auto", visible_gpus()))
    return Candidate(
        name,
        bundle.manifest.architecture,
        lambda texts: scorer.score(kind, texts),
        bundle.thresholds,
        bundle.manifest.training.history,
    )


def bundle_candidates(
    folders: Sequence[Path], kind: Kind, examples: Examples, progress: Progress
) -> Iterator[Candidate]:
    """The bundles in ``folders``; warns of one that may know rows of ``examples``.

    Raises:
        BundleError: one is not a bundle of that kind that this program can serve.
    """
    for folder in folders:
        if known_rows := trained_otherwise(folder, kind, examples):
            progress.tell(f"beware: {known_rows}")
        with progress.stage(f"loading {folder}"):
            yield candidate_of_bundle(str(folder), load_bundle(folder, kind=kind))


def fitted_candidates(
    names: Sequence[str],
    train: Dataset,
    validation: Dataset,
    *,
    kind: Kind,
    epochs: int,
    seed: int,
    progress: Progress,
) -> Iterator[Candidate]:
    """The families ``names`` fitted on ``train``, calibrated on ``validation``.

    The thresholds are set at the false-positive rates that bundles have.
    """
    known = families(length_max=LENGTH_MAX[kind], epochs=epochs)
    for name in names:
        fitted = known[name].fit(train, validation, seed=seed, progress=progress)
        with progress.stage(f"{name}: calibrating"):
            raw = fitted.scores(validation.texts)
        calibration = fit_platt(raw, validation.labels)
        if calibration.slope <= 0:
            # It ranks upside down. Calibrated it would be put right by labels that it did not
            # learn from: it is only brought into the range of probabilities, and its figures show
            # it.
            deviation = float(np.std(raw)) or 1.0
            calibration = Platt(1 / deviation, -float(np.mean(raw)) / deviation)
        yield Candidate(
            name,
            known[name].summary,
            partial(_calibrated, fitted, calibration),
            verdict_thresholds(calibration.apply(raw[validation.labels == 0])),
            fitted.history,
        )


def _calibrated(fitted: Fitted, calibration: Platt, texts: Sequence[str]) -> NDArray[np.float32]:
    return calibration.apply(fitted.scores(texts))


def make_report(
    folder: Path | None,
    candidates: Sequence[Candidate],
    rows: Dataset,
    *,
    kind: Kind,
    quote_rows: bool = True,
    progress: Progress,
    **head: Any,
) -> list[Measured]:
    """Measure ``candidates`` on ``rows``; write the report if there is a ``folder``.

    Compares all others with the first candidate. Without ``quote_rows`` the report holds no rows,
    and may go where the data may not. ``head`` are the title, command, data and notes of a
    ``ReportHead``.

    Raises:
        StreamDetectorError: the folder cannot be written.
    """
    measured, scores = [], []
    for candidate in candidates:
        what = f"measuring {candidate.name}"
        progress.tell(what)
        with progress.stage(what):
            one, of_one = measure_model(candidate, rows, kind=kind)
        measured.append(one)
        scores.append(of_one)
    if folder is None:
        return measured
    if not quote_rows:
        measured = [
            msgspec.structs.replace(one, first_rows=[], worst_missed=[], worst_flagged=[])
            for one in measured
        ]
    differences: list[Difference] = []
    first = (candidates[0].name, scores[0])
    for candidate, of_one in zip(candidates[1:], scores[1:], strict=True):
        with progress.stage(f"comparing {candidate.name} with {first[0]}"):
            differences += difference(first, (candidate.name, of_one), rows.labels)
    report = Report(**head, models=measured, differences=differences)
    with progress.stage("drawing the plots"):
        write_report(folder, report, content(report), plots(measured, scores, rows.labels))
    return measured


def write_model_card(
    folder: Path, bundle: Bundle, dataset: Dataset, progress: Progress
) -> list[Measured]:
    """Measure a new bundle on the test part of ``dataset``, and write the report.

    Raises:
        StreamDetectorError: the folder cannot be written.
    """
    manifest = bundle.manifest
    rows = dataset.of_part("test")
    notes = dataset.notes
    if manifest.reference is not None:
        notes.append(
            f"The bundle's reference is the {manifest.reference.rows:,} benign rows of this part: "
            "a worker shows how far its traffic is from them, `stream-trainer drift` explains it."
        )
    return make_report(
        folder,
        [candidate_of_bundle(manifest.name, bundle)],
        rows,
        kind=manifest.kind,
        title=f"Model card: {manifest.name} {manifest.version}",
        command=manifest.training.command,
        data=f"Test part, split {manifest.training.split}: {rows.size}.",
        notes=notes,
        progress=progress,
    )
