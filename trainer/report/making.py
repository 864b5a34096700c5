"""From models and rows to a report: measured one after the other, then compared."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.events import Kind, Thresholds
from stream_detector.models.bundle import Bundle
from stream_detector.models.calibration import Platt
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.scorer import Scorer
from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted
from trainer.families.neural import FittedNetwork
from trainer.measuring.evaluation import threshold_at
from trainer.report.content import Report
from trainer.report.differences import Difference, difference
from trainer.report.figures import Measured, measure_model
from trainer.report.plots import plots
from trainer.report.rendering import write_report
from trainer.shown_progress import Progress
from trainer.training.building import MALICIOUS_FPR, SUSPICIOUS_FPR
from trainer.training.calibrating import fit_platt

__all__ = ["Candidate", "candidate_of_bundle", "candidate_of_family", "make_report"]


class Candidate(NamedTuple):
    """A model that is ready to be measured."""

    name: str
    what: str
    score: Callable[[Sequence[str]], NDArray[np.float32]]
    """Calibrated probabilities of canonical texts."""
    thresholds: Thresholds
    history: Sequence[dict[str, float]] = ()


def candidate_of_bundle(name: str, bundle: Bundle) -> Candidate:
    """A bundle, scored by what serves it."""
    kind = bundle.manifest.kind
    scorer = Scorer({kind: bundle}, device=choose_device("auto", visible_gpus()))
    return Candidate(
        name,
        bundle.manifest.architecture,
        lambda texts: scorer.score(kind, texts),
        bundle.thresholds,
        bundle.manifest.training.history,
    )


def candidate_of_family(
    name: str,
    family: Family,
    train: Dataset,
    validation: Dataset,
    *,
    seed: int,
    progress: Progress,
) -> Candidate:
    """A family fitted on ``train``, calibrated and given thresholds on ``validation``.

    The thresholds are set at the false-positive rates that bundles have.
    """
    fitted = family.fit(train, validation, seed=seed, progress=progress)
    with progress.stage(f"{name}: calibrating"):
        raw = fitted.scores(validation.texts)
    calibration = fit_platt(raw, validation.labels)
    if calibration.slope <= 0:
        # It ranks upside down. Calibrated it would be put right by labels that it did not learn
        # from: it is only brought into the range of probabilities, and its figures show it.
        deviation = float(np.std(raw)) or 1.0
        calibration = Platt(1 / deviation, -float(np.mean(raw)) / deviation)
    benign = calibration.apply(raw[validation.labels == 0])
    suspicious, malicious = (
        min(1.0, threshold_at(benign, rate)) for rate in (SUSPICIOUS_FPR, MALICIOUS_FPR)
    )
    return Candidate(
        name,
        family.summary,
        lambda texts: calibration.apply(fitted.scores(texts)),
        Thresholds(suspicious, malicious),
        _history(fitted),
    )


def _history(fitted: Fitted) -> list[dict[str, float]]:
    """The figures of each epoch, where the model was trained by epochs."""
    if not isinstance(fitted, FittedNetwork):
        return []
    return [msgspec.convert(epoch._asdict(), dict[str, float]) for epoch in fitted.fitted.history]


def make_report(
    folder: Path | None,
    candidates: Sequence[Candidate],
    rows: Dataset,
    *,
    kind: Kind,
    title: str,
    command: str,
    data: str,
    notes: Sequence[str] = (),
    quote_rows: bool = True,
    progress: Progress,
) -> list[Measured]:
    """Measure ``candidates`` on ``rows``; write the report where there is a ``folder``.

    The first candidate is what the others are compared with. Without ``quote_rows`` the report
    holds figures alone, and may go where the data may not.

    Raises:
        OSError: the folder cannot be written.
    """
    measured, scores = [], []
    for candidate in candidates:
        what = f"measuring {candidate.name}"
        progress.tell(what)
        with progress.stage(what):
            one, of_one = measure_model(
                candidate.name,
                candidate.what,
                candidate.score,
                rows,
                kind=kind,
                thresholds=candidate.thresholds,
                history=candidate.history,
            )
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
    report = Report(
        title=title,
        created_at=datetime.now(UTC).replace(microsecond=0),
        command=command,
        data=data,
        notes=list(notes),
        models=measured,
        differences=differences,
    )
    with progress.stage("drawing the plots"):
        write_report(folder, report, plots(measured, scores, rows.labels))
    return measured
