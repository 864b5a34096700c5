"""From a fitted network to a bundle: calibrate, set thresholds, measure, describe."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import CANONICAL_FORM_VERSION
from stream_detector.events import Kind
from stream_detector.models.architectures import Architecture
from stream_detector.models.bundle import (
    Bundle,
    DataSource,
    Manifest,
    OperatingPoint,
    OperatingPoints,
    Training,
    save_bundle,
)
from stream_detector.models.calibration import fit_platt
from trainer.datasets import PARTS, DataError, Dataset, sha256_of
from trainer.evaluation import measure, threshold_at
from trainer.training import Fit, Recipe, logits_of

__all__ = ["build_bundle", "read_licences"]

SUSPICIOUS_FPR = 0.01
MALICIOUS_FPR = 0.001


def build_bundle(
    folder: Path,
    *,
    name: str,
    kind: Kind,
    architecture: Architecture,
    fitted: Fit,
    dataset: Dataset,
    recipe: Recipe,
    data: Path,
    licences: dict[str, tuple[str, str]],
    command: str,
) -> Bundle:
    """Calibrate and set thresholds on the validation part, measure on the test part, save.

    ``licences`` gives (licence, origin) by source. The version is the time of making.
    """
    validation, test = dataset.of_part("val"), dataset.of_part("test")
    logits = logits_of(architecture, fitted.weights, validation.texts)
    calibration = fit_platt(logits, validation.labels)
    benign = calibration.apply(logits[validation.labels == 0])
    scores = calibration.apply(logits_of(architecture, fitted.weights, test.texts))
    now = datetime.now(UTC).replace(microsecond=0)
    manifest = Manifest(
        name=name,
        version=now.strftime("%Y%m%d.%H%M%S"),
        kind=kind,
        created_at=now,
        canonical_form_version=CANONICAL_FORM_VERSION,
        architecture=architecture.name,
        parameters=dict(architecture.parameters),
        calibration=calibration,
        thresholds=OperatingPoints(
            suspicious=_operating_point(benign, SUSPICIOUS_FPR),
            malicious=_operating_point(benign, MALICIOUS_FPR),
        ),
        metrics=measure(test, scores),
        sources=_sources(dataset, licences),
        training=Training(
            command=command,
            seed=recipe.seed,
            split="by registered domain, as the data's column 'part' says or by hash",
            rows={part: int(np.sum(dataset.parts == part)) for part in PARTS},
            data_sha256={data.name: sha256_of(data)},
            history=[
                msgspec.convert(epoch._asdict(), dict[str, float]) for epoch in fitted.history
            ],
        ),
        files={},
    )
    return save_bundle(folder, manifest, fitted.weights)


def read_licences(path: Path, kind: Kind) -> dict[str, tuple[str, str]]:
    """(licence, origin) by source, from a CSV file with columns ``source`` and ``licence``.

    Optional columns: ``repository`` (where it is from) and ``file`` (rows that name another
    kind's file there are passed over). One row may name several sources, separated by commas.

    Raises:
        DataError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not rows or not {"source", "licence"} <= set(rows[0]):
        raise DataError(f"{path}: it needs the columns source and licence")
    licences: dict[str, tuple[str, str]] = {}
    for row in rows:
        if (row.get("file") or f"{kind}s") == f"{kind}s":
            for source in row["source"].split(","):
                licences[source.strip()] = (row["licence"], row.get("repository") or "")
    return licences


def _operating_point(benign: NDArray[np.float32], rate: float) -> OperatingPoint:
    return OperatingPoint(threshold=threshold_at(benign, rate), false_positive_rate=rate)


def _sources(dataset: Dataset, licences: dict[str, tuple[str, str]]) -> list[DataSource]:
    sources = []
    for name in sorted(set(dataset.sources.tolist())):
        inside = dataset.sources == name
        licence, origin = licences.get(name, ("", ""))
        sources.append(
            DataSource(
                name=name,
                rows=int(np.sum(inside)),
                malicious=int(np.sum(dataset.labels[inside])),
                licence=licence,
                origin=origin,
            )
        )
    return sources
