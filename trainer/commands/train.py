"""``stream-trainer train``: from labelled examples to a bundle and its model card."""

from pathlib import Path
from typing import Any

import click

from stream_detector.errors import BundleError
from stream_detector.events import Kind
from stream_detector.models.files import MANIFEST_NAME, read_bundle_file
from stream_detector.models.manifest import decode_manifest
from stream_detector.name_rules import name_fault
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, command_line, show_figures, tell
from trainer.examples.datasets import counts_of
from trainer.examples.labelled import Examples
from trainer.examples.readers import read_licences
from trainer.families import NETWORK_NAMES
from trainer.training.data import Imbalance, held_data
from trainer.training.recipe import Recipe

_BUFFER_ROWS = 262_144
"""Some 300 MB of host names, with the samples; enough for 33 million rows (see ``streaming``)."""


def _name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Check the name before the training: no worker accepts a bundle with a faulty one."""
    if name is not None and (fault := name_fault(name)):
        raise click.BadParameter(f"the name {fault}")
    return name


@click.command
@options.kind
@options.data
@click.option("--output", type=options.PATH, required=True, help="Folder of the bundle.")
@click.option(
    "--family", type=click.Choice(NETWORK_NAMES), default="wide_bilstm", help="Which network."
)
@click.option(
    "--name", callback=_name, help="The model's name in verdicts.  [default: KIND-FAMILY]"
)
@options.sources
@click.option("--epochs", type=click.IntRange(1), default=12)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=3,
    help="Stop after so many epochs without a better validation AUC.",
)
@click.option(
    "--imbalance",
    type=click.Choice(["none", "truncate", "oversample", "class_weight"]),
    default="none",
    help="What to do if one label has more rows: nothing, leave out rows of it, repeat rows of the "
    "other, or weigh them. Calibration corrects the scores afterwards.",
)
@click.option(
    "--augment",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of the rows that each epoch changes as attackers and loggers do: percent-encoding, "
    "ordinary names and paths in front, padding, homoglyphs...",
)
@click.option("--batch-size", type=click.IntRange(1), default=256)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=2e-3)
@click.option(
    "--units", type=click.IntRange(1, 1024), default=64, help="LSTM units in each direction."
)
@options.seed
@click.option(
    "--resume",
    is_flag=True,
    help="Continue a training that was stopped: same data, options and output.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace a bundle of another model, and discard a training that was stopped.",
)
@click.option(
    "--stream",
    is_flag=True,
    help="For more data than fits in memory: write the rows to train on, in canonical form, to a "
    "temporary folder next to the output, and read them from there.",
)
@click.option(
    "--buffer-rows",
    type=click.IntRange(1000),
    default=_BUFFER_ROWS,
    help="With --stream: rows to shuffle at a time. Of the validation part and of the test part at "
    "most as many are held in memory, drawn uniformly.",
)
@native_output_held_back()
def train(
    kind: Kind,
    examples: Examples,
    output: Path,
    family: str,
    name: str | None,
    sources: Path | None,
    imbalance: Imbalance,
    units: int,
    resume: bool,
    overwrite: bool,
    stream: bool,
    buffer_rows: int,
    **of_recipe: Any,
) -> None:
    """Train a character-level network and save it as a bundle.

    The validation part decides which epoch is kept, and sets calibration and thresholds
    (false-positive rates of 1% for suspicious and 0.1% for malicious). The test part gives the
    figures in the manifest.

    Ctrl-C ends a training with exit code 130 and keeps the finished epochs; --resume continues.

    \b
    stream-trainer train --kind url --data urls.csv --output bundles/url
    """
    name = name or f"{kind}-{family}"
    recipe = Recipe(**of_recipe)
    checkpoint = output.with_name(f"{output.name}-training.safetensors")
    if not overwrite:
        if checkpoint.exists() and not resume:
            raise click.UsageError(
                f"{checkpoint} holds a training that was stopped: continue with --resume, or start "
                "over with --overwrite"
            )
        _check_replaced(output, (name, kind, family))
    if stream:
        _check_streamable(examples, imbalance)
    licences = read_licences(sources, kind) if sources else {}
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        if stream:
            from trainer.training.streaming import streamed  # noqa: PLC0415 - TensorFlow

            rows = streamed(
                *(examples, kind, imbalance),
                folder=output.parent,
                buffer_rows=buffer_rows,
                seed=recipe.seed,
            )
            data = click.get_current_context().with_resource(rows)
        else:
            data = held_data(examples, kind, imbalance, seed=recipe.seed)
    tell(f"{data.rows:,} rows: {counts_of(data.held.counts)}")
    for leak in data.held.leaks:
        tell(f"beware: {leak}")

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from trainer.training.one_training import train_bundle  # noqa: PLC0415

    report = output.with_name(f"{output.name}-report")
    figures = train_bundle(
        data,
        kind=kind,
        name=name,
        family=family,
        units=units,
        recipe=recipe,
        examples=examples,
        licences=licences,
        output=output,
        report=report,
        saved_at=checkpoint,
        resume=resume,
        command=command_line(),
        progress=progress,
    )
    show_figures(figures)
    tell(f"bundle: {output}, report: {report / 'report.html'}")


def _check_replaced(output: Path, model: tuple[str, str, str]) -> None:
    """Refuse to replace another model than ``model``: its name, kind and family."""
    path = output / MANIFEST_NAME
    if not path.exists():
        return  # ``check_destination`` refuses a folder that holds anything else.
    try:
        there = decode_manifest(read_bundle_file(output, MANIFEST_NAME), path)
    except BundleError as error:  # For all we know it is another model.
        raise click.UsageError(
            f"{error}: give another --output, or replace it with --overwrite"
        ) from error
    said = f"{output} holds the {there.kind} model {there.name} {there.version}"
    if (there.name, there.kind, there.architecture) != model:
        raise click.UsageError(
            f"{said} ({there.architecture}), which is another model: give another --output, or "
            "replace it with --overwrite"
        )
    tell(f"{said}: this training replaces it")


def _check_streamable(examples: Examples, imbalance: Imbalance) -> None:
    """Refuse options that need all rows at once."""
    of_each_row = "--stream decides a row's part by the row alone"
    if examples.split in {"source", "time"}:
        raise click.UsageError(
            f"{of_each_row}, --split {examples.split} by all rows: use --split column, domain or "
            "random"
        )
    if examples.extra:
        raise click.UsageError(f"{of_each_row}, --extra by all rows: leave one out")
    if imbalance in {"truncate", "oversample"}:
        raise click.UsageError(
            f"--stream holds no rows that --imbalance {imbalance} could draw from: use class_weight"
        )
