"""One training of ``stream-trainer train``, from rows to a bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

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
from trainer.training.fitting import fit
from trainer.training.progress import shown_training
from trainer.training.recipe import Recipe


class Plan(NamedTuple):
    """What to train, and where to put it."""

    kind: Kind
    name: str
    family: str
    units: int
    recipe: Recipe
    examples: Examples
    licences: Mapping[str, tuple[str, str]]
    """(licence, origin) by source."""
    output: Path
    checkpoint: Path
    resume: bool
    command: str

    @property
    def report(self) -> Path:
        """The folder of the model card."""
        return self.output.with_name(f"{self.output.name}-report")


def train_bundle(plan: Plan, data: TrainingData, progress: Progress) -> list[Measured]:
    """Train, save the bundle and its model card; returns the card's figures.

    Raises:
        BundleError: the bundle cannot be saved; known before the training where possible.
        CheckpointError: the checkpoint cannot be saved, or not be resumed.
        DataError: the training diverged, or the network learned nothing.
    """
    check_destination(plan.output)
    parameters = {"length_max": LENGTH_MAX[plan.kind], "units": plan.units}
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
    try:
        with shown_training(progress) as shown:
            fitted = fit(
                *(architecture, data.train, validation, recipe),
                kind=plan.kind,
                on_step=shown.on_step,
                on_epoch=shown.on_epoch,
                checkpoint=checkpoint,
                resume=plan.resume,
            )
    except KeyboardInterrupt:
        progress.tell(
            f"stopped: the epochs that were done are in {checkpoint.path}; go on with --resume"
            if checkpoint.path.exists()
            else "stopped: no epoch was done, so there is nothing to go on with"
        )
        raise
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
    return write_model_card(plan.report, bundle, data.held, progress)
