"""From a fitted network to a bundle: calibrate, set thresholds, measure, describe."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stream_detector.canonical import CANONICAL_FORM_VERSION
from stream_detector.errors import BundleError
from stream_detector.events import Kind
from stream_detector.models.architectures.base import Architecture
from stream_detector.models.bundle import Bundle, load_bundle, save_bundle
from stream_detector.models.calibration import Platt
from stream_detector.models.manifest import (
    DataSource,
    Manifest,
    OperatingPoint,
    OperatingPoints,
    Training,
)
from stream_detector.models.reference import reference_of
from trainer.examples.datasets import Census, Dataset, sha256_of
from trainer.examples.labelled import Examples
from trainer.examples.readers import DataError
from trainer.measuring.evaluation import (
    FALSE_POSITIVES_MIN,
    VERDICT_FPRS,
    fit_platt,
    measure,
    verdict_thresholds,
)
from trainer.training.fitting import Fit, logits_of
from trainer.training.recipe import Recipe

_LABELS = "labels"
"""Name of the labels among the data files of a manifest."""

_SPLITS = {
    "column": "by registered domain, as the data's column 'part' says or by hash",
    "domain": "by registered domain, by hash",
    "random": "by chance, by hash",
    "source": "by source: the held-out ones are the test part",
    "time": "by time: the latest rows are the test part",
}


def build_bundle(
    folder: Path,
    *,
    name: str,
    kind: Kind,
    architecture: Architecture,
    fitted: Fit,
    dataset: Dataset,
    census: Census,
    recipe: Recipe,
    examples: Examples,
    licences: Mapping[str, tuple[str, str]],
    command: str,
    warm_start: str = "",
    labels_sha256: str = "",
    identity: str = "",
    as_in: Manifest | None = None,
) -> Bundle:
    """Calibrate and set thresholds on the validation part, measure on the test part, save.

    The test part's benign rows also give the reference that workers compare their traffic with.
    The version of the bundle is the current time.

    Args:
        folder: where the bundle goes.
        name: the model's name in verdicts.
        kind: of the texts that it scores.
        architecture: of the network.
        fitted: its weights and history.
        dataset: at least the validation and the test part.
        census: of all rows.
        recipe, examples, command: how and from what it was trained.
        licences: (licence, origin) by source.
        warm_start: SHA-256 of the bundle whose weights it started with, if any.
        labels_sha256: digest of the labels that were added to the files, if any.
        identity: digest of everything that defines a retraining.
        as_in: a manifest to copy calibration and thresholds from.

    Raises:
        DataError: the network ranks the validation part no better than chance.
        BundleError: the bundle could not be saved.
    """
    calibration, thresholds = (
        (as_in.calibration, as_in.thresholds)
        if as_in is not None
        else _calibrated(architecture, fitted, dataset.of_part("val"), examples)
    )
    test = dataset.of_part("test")
    scores = calibration.apply(logits_of(architecture, fitted.weights, test.texts))
    benign_rows = np.flatnonzero(test.labels == 0)
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
        thresholds=thresholds,
        metrics=measure(test, scores),
        sources=_sources(census, licences),
        training=Training(
            command=command,
            seed=recipe.seed,
            split=_SPLITS[examples.split] + census.remark,
            rows=census.parts,
            data_sha256={
                **digests(examples.paths),
                **({_LABELS: labels_sha256} if labels_sha256 else {}),
            },
            history=[epoch.figures for epoch in fitted.history],
            warm_start=warm_start,
            identity=identity,
        ),
        files={},
        reference=reference_of(kind, test.rows(benign_rows).texts, scores[benign_rows])
        if len(benign_rows)
        else None,
    )
    try:
        return save_bundle(folder, manifest, fitted.weights)
    except OSError as error:
        raise BundleError(f"{folder} cannot be written: {error.strerror}") from error


def trained_otherwise(folder: Path, kind: Kind, examples: Examples) -> str | None:
    """Warn if the bundle in ``folder`` saw files of ``examples``, but split in another way.

    Then it may know some of the rows that it is measured on.

    Raises:
        BundleError: it is not a bundle of that kind that this program can serve.
    """
    manifest = load_bundle(folder, kind=kind).manifest
    trained_on = set(manifest.training.data_sha256.values())
    given = {sha256_of(path) for path in examples.paths}
    same_split = manifest.training.split.startswith(_SPLITS[examples.split])
    if not trained_on & given or (trained_on <= given and same_split):
        return None
    return (
        f"{manifest.name} {manifest.version} was trained on some of these files, split "
        f"{manifest.training.split}, together with {len(trained_on - given)} others (such as "
        "--extra): rows that it knows may be among those measured"
    )


def weak_thresholds(validation: Dataset) -> list[str]:
    """A sentence on each threshold that too few benign rows set, so that chance decides it."""
    benign = int(np.sum(validation.labels == 0))
    return [
        f"the validation part's {benign:,} benign rows are too few to set the threshold of "
        f"{name} at a false-positive rate of {rate:.1%}: it takes {needed:,}"
        for name, rate in zip(("suspicious", "malicious"), VERDICT_FPRS, strict=True)
        if benign < (needed := round(FALSE_POSITIVES_MIN / rate))
    ]


def _calibrated(
    architecture: Architecture, fitted: Fit, validation: Dataset, examples: Examples
) -> tuple[Platt, OperatingPoints]:
    logits = logits_of(architecture, fitted.weights, validation.texts)
    calibration = fit_platt(logits, validation.labels)
    if calibration.slope <= 0:
        raise DataError(
            f"{examples}: nothing that the network learned from the training part holds on the "
            "validation part, so there is no model to save: are the labels right, the rows enough?"
        )
    benign = calibration.apply(logits[validation.labels == 0])
    at, (suspicious_rate, malicious_rate) = verdict_thresholds(benign), VERDICT_FPRS
    return calibration, OperatingPoints(
        suspicious=OperatingPoint(at.suspicious, suspicious_rate),
        malicious=OperatingPoint(at.malicious, malicious_rate),
    )


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by file name; files of one name are numbered."""
    digests: dict[str, str] = {}
    for path in paths:
        number = sum(other.name == path.name for other in paths[: paths.index(path)])
        digests[f"{path.name} ({number + 1})" if number else path.name] = sha256_of(path)
    return digests


def _sources(census: Census, licences: Mapping[str, tuple[str, str]]) -> list[DataSource]:
    return [
        DataSource(name, rows, malicious, *licences.get(name, ("", "")))
        for name, (rows, malicious) in sorted(census.sources.items())
    ]
