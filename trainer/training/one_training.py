"""One training of ``stream-trainer train``, from rows to a bundle."""

from collections.abc import Mapping
from pathlib import Path

from stream_detector.events import Kind
from stream_detector.models.architectures import ARCHITECTURES
from stream_detector.models.bundle import check_destination
from stream_detector.terminal.progress import Progress
from trainer.examples.labelled import Examples
from trainer.families import LENGTH_MAX
from trainer.report.figures import Measured
from trainer.report.making import write_model_card
from trainer.training.building import build_bundle, weak_thresholds
from trainer.training.checkpoint import Checkpoint, fingerprint
from trainer.training.data import TrainingData
from trainer.training.fitting import fit, shown_training
from trainer.training.recipe import Recipe


def train_bundle(
    data: TrainingData,
    *,
    kind: Kind,
    name: str,
    family: str,
    units: int,
    recipe: Recipe,
    examples: Examples,
    licences: Mapping[str, tuple[str, str]],
    output: Path,
    report: Path,
    saved_at: Path,
    resume: bool,
    command: str,
    progress: Progress,
) -> list[Measured]:
    """Train a network on ``data``; save it in ``output`` and its model card in ``report``.

    Each epoch is saved at ``saved_at``, from where ``resume`` goes on. ``licences`` are (licence,
    origin) by source. Returns the figures of the model card.

    Raises:
        BundleError: the bundle cannot be saved; known before the training where possible.
        CheckpointError: the checkpoint cannot be saved, or not be resumed.
        DataError: the training diverged, or the network learned nothing.
        StreamDetectorError: the model card cannot be written.
    """
    check_destination(output)
    parameters = {"length_max": LENGTH_MAX[kind], "units": units}
    architecture = ARCHITECTURES[family](**parameters)
    recipe = recipe._replace(malicious_weight=data.malicious_weight)
    validation = data.held.of_part("val")
    checkpoint = Checkpoint(
        saved_at,
        identity=fingerprint(
            *(family, parameters, recipe, validation.labels.tobytes(), *data.identity),
            texts=[*data.texts, *validation.texts],
        ),
    )
    try:
        with shown_training(progress) as shown:
            fitted = fit(
                *(architecture, data.train, validation, recipe),
                kind=kind,
                on_step=shown.on_step,
                on_epoch=shown.on_epoch,
                checkpoint=checkpoint,
                resume=resume,
            )
    except KeyboardInterrupt:
        progress.tell(
            f"stopped: the epochs that finished are in {saved_at}; continue with --resume"
            if saved_at.exists()
            else "stopped: no epoch finished, so there is nothing to resume"
        )
        raise
    with progress.stage("calibrating and measuring"):
        bundle = build_bundle(
            output,
            name=name,
            kind=kind,
            architecture=architecture,
            fitted=fitted,
            dataset=data.held,
            census=data.census,
            recipe=recipe,
            examples=examples,
            licences=licences,
            command=command,
        )
    checkpoint.delete()
    for weakness in weak_thresholds(validation):
        progress.tell(f"beware: {weakness}")
    return write_model_card(report, bundle, data.held, progress)
