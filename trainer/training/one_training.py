"""One training of ``stream-trainer train``, from rows to a bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stream_detector.events import Kind
from stream_detector.models.architectures import ARCHITECTURES
from stream_detector.models.bundle import Bundle, check_destination
from stream_detector.terminal.progress import Progress
from trainer.examples.labelled import Examples
from trainer.training.building import build_bundle, weak_thresholds
from trainer.training.checkpoint import Checkpoint, fingerprint
from trainer.training.data import TrainingData
from trainer.training.fitting import fit
from trainer.training.progress import shown_training, stopped_by_hand
from trainer.training.recipe import Recipe


class Plan(NamedTuple):
    """What to train, and where to put it."""

    kind: Kind
    name: str
    family: str
    length_max: int
    """Characters that the network reads."""
    units: int
    recipe: Recipe
    examples: Examples
    licences: Mapping[str, tuple[str, str]]
    """(licence, origin) by source."""
    output: Path
    checkpoint: Path
    resume: bool
    command: str


def train_bundle(plan: Plan, data: TrainingData, progress: Progress) -> Bundle:
    """Train and save the bundle.

    Raises:
        BundleError: the bundle cannot be saved; known before the training where possible.
        CheckpointError: the checkpoint cannot be saved, or not be resumed.
        DataError: the training diverged, or the network learned nothing.
    """
    check_destination(plan.output)
    parameters = {"length_max": plan.length_max, "units": plan.units}
    architecture = ARCHITECTURES[plan.family](**parameters)
    recipe = plan.recipe._replace(malicious_weight=data.malicious_weight)
    validation = data.held.of_part("val")
    checkpoint = Checkpoint(
        plan.checkpoint,
        identity=fingerprint(
            *(plan.family, parameters, recipe, validation.labels.tobytes(), *data.identity),
            texts=[*data.texts, *validation.texts],
        ),
    )
    with stopped_by_hand(progress, checkpoint), shown_training(progress) as shown:
        fitted = fit(
            architecture,
            data.train,
            validation,
            recipe,
            kind=plan.kind,
            on_step=shown.on_step,
            on_epoch=shown.on_epoch,
            checkpoint=checkpoint,
            resume=plan.resume,
        )
    with progress.stage("calibrating and measuring"):
        bundle = build_bundle(
            plan.output,
            name=plan.name,
            kind=plan.kind,
            architecture=architecture,
            fitted=fitted,
            dataset=data.held,
            census=data.census,
            recipe=recipe,
            examples=plan.examples,
            licences=plan.licences,
            command=plan.command,
        )
    checkpoint.delete()
    for weakness in weak_thresholds(validation):
        progress.tell(f"beware: {weakness}")
    return bundle
