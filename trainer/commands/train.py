"""``stream-trainer train``: from labelled examples to a bundle and its model card."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stream_detector.errors import StreamDetectorError
from stream_detector.logs.setup import native_output_held_back
from stream_detector.name_rules import name_fault
from trainer.commands.example_options import data_options, examples_of
from trainer.console import command_line, counts_of, notes_on, show_figures, tell
from trainer.families import LENGTH_MAX, NETWORK_NAMES
from trainer.shown_progress import ShownProgress, shown_training, stopped_by_hand
from trainer.training.destination import check_nothing_lost, checkpoint_of

if TYPE_CHECKING:
    from stream_detector.events import Kind
    from stream_detector.models.bundle import Bundle
    from trainer.examples.datasets import Census, Dataset, Examples
    from trainer.training.fitting import TrainingRows
    from trainer.training.imbalance import Imbalance

__all__ = ["train"]

_BUFFER_ROWS = 262_144
"""Some 300 MB of host names, samples included; enough for 33 million rows (see ``streaming``)."""


def _name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Checked before a training, since no worker takes a bundle with another name."""
    if name is not None and (fault := name_fault(name)):
        raise click.BadParameter(f"the name {fault}")
    return name


@click.command(short_help="Train a network on labelled examples; save a bundle.")
@click.option("--kind", type=click.Choice(["url", "host"]), required=True, help="What to score.")
@data_options
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder of the bundle."
)
@click.option(
    "--family",
    type=click.Choice(NETWORK_NAMES),
    default="wide_bilstm",
    show_default=True,
    help="Which network.",
)
@click.option(
    "--name", callback=_name, help="The model's name in verdicts.  [default: KIND-FAMILY]"
)
@click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="CSV with columns source and licence, for the manifest.",
)
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Stop after so many epochs without a better validation AUC.",
)
@click.option(
    "--imbalance",
    type=click.Choice(["none", "truncate", "oversample", "class_weight"]),
    default="none",
    show_default=True,
    help="What to do where one label has more rows: nothing, leave rows of it out, repeat the "
    "other's, or weigh them. Calibration puts the scores right afterwards.",
)
@click.option(
    "--augment",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the rows that each epoch changes as attackers and loggers do: percent-encoding, "
    "ordinary names and paths in front, padding, homoglyphs...",
)
@click.option("--batch-size", type=click.IntRange(1), default=256, show_default=True)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=2e-3, show_default=True
)
@click.option(
    "--units",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="LSTM units a direction.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a training that was stopped: same data, options and output.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace a bundle of another model, and drop a training that was stopped.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="For more data than fits in memory: the rows to train on are written, in canonical form, "
    "to a folder beside the output while the training lasts, and read from there.",
)
@click.option(
    "--buffer-rows",
    type=click.IntRange(1000),
    default=_BUFFER_ROWS,
    show_default=True,
    help="With --stream: rows that are shuffled at a time. Of the validation and of the test part "
    "at most as many are held, drawn uniformly.",
)
@native_output_held_back()
def train(
    kind: "Kind",
    output: Path,
    family: str,
    name: str | None,
    sources: Path | None,
    epochs: int,
    patience: int,
    imbalance: "Imbalance",
    augment: float,
    batch_size: int,
    learning_rate: float,
    units: int,
    seed: int,
    resume: bool,
    overwrite: bool,
    stream: bool,
    buffer_rows: int,
    **data_options: Any,
) -> None:
    """Train a character-level network and save it as a bundle.

    The best epoch on the validation part is kept; calibration and thresholds (false-positive
    rates 1% for suspicious, 0.1% for malicious) are set there too, the figures in the manifest
    are of the test part.

    Ctrl-C ends a training with exit code 130 and keeps the epochs that are done: --resume goes on.

    \b
    stream-trainer train --kind url --data urls.csv --output bundles/url
    """
    from trainer.examples.datasets import read_licences  # noqa: PLC0415

    examples = examples_of(**data_options)
    name = name or f"{kind}-{family}"
    if not overwrite:
        replaced = check_nothing_lost(output, name=name, kind=kind, family=family, resume=resume)
        if replaced is not None:
            tell(replaced)
    if stream:
        _check_streamable(examples, imbalance)
    licences = read_licences(sources, kind) if sources else {}
    progress = ShownProgress()
    if stream:
        data = click.get_current_context().with_resource(
            _streamed_data(examples, kind, output.parent, buffer_rows, imbalance, seed, progress)
        )
    else:
        data = _held_data(examples, kind, imbalance, seed, progress)

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
        from stream_detector.models.architectures import ARCHITECTURES  # noqa: PLC0415
        from stream_detector.models.bundle import check_destination  # noqa: PLC0415
        from trainer.training.building import build_bundle, weak_thresholds  # noqa: PLC0415
        from trainer.training.checkpoint import Checkpoint, fingerprint  # noqa: PLC0415
        from trainer.training.fitting import Recipe, fit  # noqa: PLC0415

    check_destination(output)
    parameters = {"length_max": LENGTH_MAX[kind], "units": units}
    architecture = ARCHITECTURES[family](**parameters)
    recipe = Recipe(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        malicious_weight=data.malicious_weight,
        augment=augment,
        seed=seed,
    )
    validation = data.held.of_part("val")
    checkpoint = Checkpoint(
        checkpoint_of(output),
        identity=fingerprint(
            *(family, parameters, recipe, validation.labels.tobytes(), *data.identity),
            texts=[*data.texts, *validation.texts],
        ),
    )
    with stopped_by_hand(progress, checkpoint), shown_training(progress) as shown:
        fitted = fit(
            architecture,
            data.train,
            validation,
            recipe,
            kind=kind,
            on_step=shown.on_step,
            on_epoch=shown.on_epoch,
            checkpoint=checkpoint,
            resume=resume,
        )
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
            command=command_line(),
        )
    checkpoint.delete()
    for weakness in weak_thresholds(validation):
        tell(f"beware: {weakness}")
    _show_report_of(bundle, output, data.held, progress)


class _TrainingData(NamedTuple):
    """What a training is made from, held or streamed."""

    train: "Dataset | TrainingRows"
    held: "Dataset"
    """Validation and test part."""
    census: "Census"
    malicious_weight: float
    identity: tuple[object, ...]
    """With ``texts`` it tells these training rows from others."""
    texts: "Sequence[str]"


def _held_data(
    examples: "Examples",
    kind: "Kind",
    imbalance: "Imbalance",
    seed: int,
    progress: ShownProgress,
) -> _TrainingData:
    from trainer.examples.datasets import census_of, read_dataset  # noqa: PLC0415
    from trainer.training.imbalance import malicious_weight, resampled  # noqa: PLC0415

    with progress.stage(f"reading {examples}"):
        dataset = read_dataset(examples, kind)
    _tell_of_rows(len(dataset.texts), dataset)
    rows = resampled(dataset.of_part("train"), imbalance, seed=seed)
    weight = malicious_weight(rows, imbalance)
    census = census_of(dataset)
    return _TrainingData(rows, dataset, census, weight, (rows.labels.tobytes(),), rows.texts)


def _check_streamable(examples: "Examples", imbalance: "Imbalance") -> None:
    """Refuse what needs all rows at once."""
    if examples.split in {"source", "time"}:
        raise click.UsageError(
            f"--stream knows a row's part by the row alone, --split {examples.split} by all rows: "
            "use --split column, domain or random"
        )
    if examples.extra:
        raise click.UsageError(
            "--stream knows a row's part by the row alone, --extra by all rows: leave one out"
        )
    if imbalance in {"truncate", "oversample"}:
        raise click.UsageError(
            f"--stream holds no rows that --imbalance {imbalance} could draw from: use class_weight"
        )


@contextlib.contextmanager
def _streamed_data(
    examples: "Examples",
    kind: "Kind",
    folder: Path,
    buffer_rows: int,
    imbalance: "Imbalance",
    seed: int,
    progress: ShownProgress,
) -> Iterator[_TrainingData]:
    from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
    from trainer.training.imbalance import balancing_weight  # noqa: PLC0415
    from trainer.training.streaming import streamed  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        with progress.stage(f"reading {examples}"):
            data = stack.enter_context(
                streamed(examples, kind, folder=folder, buffer_rows=buffer_rows, seed=seed)
            )
        _tell_of_rows(sum(rows for rows, _ in data.census.sources.values()), data.held)
        weight = balancing_weight(*data.labels) if imbalance == "class_weight" else 1.0
        identity = (data.digest, buffer_rows)
        yield _TrainingData(data.train, data.held, data.census, weight, identity, ())


def _tell_of_rows(rows: int, dataset: "Dataset") -> None:
    tell(f"{rows:,} rows: {counts_of(dataset.counts)}")
    for leak in dataset.leaks:
        tell(f"beware: {leak}")


def _show_report_of(
    bundle: "Bundle", output: Path, dataset: "Dataset", progress: ShownProgress
) -> None:
    """The report of a new bundle, its model card, in a folder beside it."""
    from trainer.report.making import candidate_of_bundle, make_report  # noqa: PLC0415

    manifest = bundle.manifest
    folder = output.with_name(f"{output.name}-report")
    rows = dataset.of_part("test")
    notes = notes_on(dataset)
    if manifest.reference is not None:
        notes.append(
            f"The bundle's reference is the {manifest.reference.rows:,} benign rows of this part: "
            "a worker shows how far its traffic is from them, `stream-trainer drift` explains it."
        )
    try:
        measured = make_report(
            folder,
            [candidate_of_bundle(manifest.name, bundle)],
            rows,
            kind=manifest.kind,
            title=f"Model card: {manifest.name} {manifest.version}",
            command=manifest.training.command,
            data=f"Test part, split {manifest.training.split}: {len(rows.texts):,} rows, "
            f"{int(rows.labels.sum()):,} of them malicious.",
            notes=notes,
            progress=progress,
        )
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error
    show_figures(measured)
    tell(f"bundle: {output}, report: {folder / 'report.html'}")
