"""``stream-trainer``: train a model bundle from labelled examples, and measure bundles.

Heavy imports are inside the commands, so that ``--help`` answers at once.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from stream_detector import __version__
from stream_detector.errors import BundleError, StreamDetectorError
from stream_detector.events import Kind
from stream_detector.logs import native_output_held_back
from trainer.commands.generate import (
    generate_names_command,
    generate_ordinary_command,
    generate_private_command,
)
from trainer.commands.hold_out import hold_out
from trainer.console import command_line as _command
from trainer.console import counts_of as _counts
from trainer.console import file_names as _names
from trainer.console import messages as _messages
from trainer.console import notes_on as _notes
from trainer.console import tell as _tell
from trainer.families import FAMILY_NAMES, NETWORK_NAMES
from trainer.families import LENGTH_MAX as _LENGTH_MAX
from trainer.options import data_options, examples_of

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle
    from trainer.checkpoint import Checkpoint
    from trainer.datasets import Census, Dataset, Examples, Part
    from trainer.imbalance import Imbalance
    from trainer.report.figures import Measured
    from trainer.training import Epoch, TrainingRows

__all__ = ["main"]

_BUFFER_ROWS = 262_144
"""Some 300 MB of host names, samples included; enough for 33 million rows (see ``streaming``)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stream-trainer")
def cli() -> None:
    """Train and measure the models that stream-detector serves."""


@cli.command()
@click.option("--kind", type=click.Choice(["url", "host"]), required=True, help="What to score.")
@data_options
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder of the bundle."
)
@click.option(
    "--model",
    type=click.Choice(NETWORK_NAMES),
    default="wide_bilstm",
    show_default=True,
    help="Which network.",
)
@click.option("--name", help="The model's name in verdicts.  [default: KIND-MODEL]")
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
    model: str,
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
    stream: bool,
    buffer_rows: int,
    **data_options: Any,
) -> None:
    """Train a character-level network and save it as a bundle.

    The best epoch on the validation part is kept; calibration and thresholds (false-positive
    rates 1% for suspicious, 0.1% for malicious) are set there too, the figures in the manifest
    are of the test part.

    \b
    Example:
      stream-trainer train --kind url --data urls.csv --output bundles/url
    """
    from trainer.datasets import read_licences  # noqa: PLC0415

    examples = examples_of(**data_options)
    if stream:
        _check_streamable(examples, imbalance)
    licences = read_licences(sources, kind) if sources else {}
    if stream:
        data = click.get_current_context().with_resource(
            _streamed_data(examples, kind, output.parent, buffer_rows, imbalance, seed)
        )
    else:
        data = _held_data(examples, kind, imbalance, seed)

    # Not before the data is known to be good: TensorFlow takes seconds.
    from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
    from stream_detector.models.architectures import ARCHITECTURES  # noqa: PLC0415
    from stream_detector.models.bundle import check_destination  # noqa: PLC0415
    from trainer.building import build_bundle, weak_thresholds  # noqa: PLC0415
    from trainer.checkpoint import Checkpoint, fingerprint  # noqa: PLC0415
    from trainer.training import Recipe, fit  # noqa: PLC0415

    check_destination(output)
    parameters = {"length_max": _LENGTH_MAX[kind], "units": units}
    architecture = ARCHITECTURES[model](**parameters)
    recipe = Recipe(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        malicious_weight=data.malicious_weight,
        augment=augment,
        seed=seed,
    )
    checkpoint = Checkpoint(
        output.with_name(f"{output.name}-training.safetensors"),
        identity=fingerprint(model, parameters, recipe, *data.identity, texts=data.texts),
    )
    with _progress() as progress, _stopped_by_hand(checkpoint):
        task = progress.add_task("epoch 1", total=None, loss="")

        def on_step(done: int, total: int, loss: float) -> None:
            progress.update(task, completed=done, total=total, loss=f"loss {loss:.4f}")

        def on_epoch(epoch: "Epoch") -> None:
            progress.print(
                f"epoch {epoch.number}: loss {epoch.loss:.4f}, validation AUC "
                f"{epoch.validation_auc:.4f}, TPR at FPR 1% {epoch.validation_tpr:.3f}, "
                f"{epoch.seconds:.0f} s",
                soft_wrap=True,
            )
            progress.update(task, description=f"epoch {epoch.number + 1}", completed=0)

        fitted = fit(
            architecture,
            data.train,
            data.held.of_part("val"),
            recipe,
            kind=kind,
            on_step=on_step,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            resume=resume,
        )
    bundle = build_bundle(
        output,
        name=name or f"{kind}-{model}",
        kind=kind,
        architecture=architecture,
        fitted=fitted,
        dataset=data.held,
        census=data.census,
        recipe=recipe,
        examples=examples,
        licences=licences,
        command=_command(),
    )
    checkpoint.delete()
    for weakness in weak_thresholds(data.held.of_part("val")):
        _tell(f"beware: {weakness}")
    _show_report_of(bundle, output, data.held)


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
    examples: "Examples", kind: "Kind", imbalance: "Imbalance", seed: int
) -> _TrainingData:
    from trainer.datasets import census_of, read_dataset  # noqa: PLC0415
    from trainer.imbalance import malicious_weight, resampled  # noqa: PLC0415

    with _messages.status(f"reading {examples}"):
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
) -> Iterator[_TrainingData]:
    from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
    from trainer.imbalance import balancing_weight  # noqa: PLC0415
    from trainer.streaming import streamed  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        with _messages.status(f"reading {examples}"):
            data = stack.enter_context(
                streamed(examples, kind, folder=folder, buffer_rows=buffer_rows, seed=seed)
            )
        _tell_of_rows(sum(rows for rows, _ in data.census.sources.values()), data.held)
        weight = balancing_weight(*data.labels) if imbalance == "class_weight" else 1.0
        identity = (data.digest, buffer_rows)
        yield _TrainingData(data.train, data.held, data.census, weight, identity, ())


def _tell_of_rows(rows: int, dataset: "Dataset") -> None:
    _tell(f"{rows:,} rows: {_counts(dataset.counts)}")
    for leak in dataset.leaks:
        _tell(f"beware: {leak}")


def _show_report_of(bundle: "Bundle", output: Path, dataset: "Dataset") -> None:
    """The report of a new bundle, its model card, in a folder beside it."""
    from trainer.report.making import candidate_of_bundle, make_report  # noqa: PLC0415

    manifest = bundle.manifest
    folder = output.with_name(f"{output.name}-report")
    rows = dataset.of_part("test")
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
            notes=_notes(dataset),
            tell=_tell,
        )
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error
    _show(measured)
    _tell(f"bundle: {output}, report: {folder / 'report.html'}")


@cli.command()
@click.argument("bundles", nargs=-1, type=click.Path(path_type=Path))
@data_options
@click.option(
    "--part",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="Rows to measure on.",
)
@click.option(
    "--family",
    "family_names",
    type=click.Choice(FAMILY_NAMES),
    multiple=True,
    help="Fit this model on the data's training part and measure it beside the bundles; may be "
    "given several times.",
)
@click.option(
    "--kind",
    type=click.Choice(["url", "host"]),
    help="What the data's rows are; needed where no bundle says it.",
)
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True, help="Of networks.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the report: Markdown, HTML, JSON and plots.",
)
@native_output_held_back()
def evaluate(
    bundles: tuple[Path, ...],
    part: "Part",
    family_names: tuple[str, ...],
    kind: "Kind | None",
    epochs: int,
    seed: int,
    report: Path | None,
    **data_options: Any,
) -> None:
    """Measure bundles with the scorer that serves them, side by side.

    The first one named is what the others are compared with.

    \b
    Examples:
      stream-trainer evaluate bundles/url data/models/url --data urls.csv --report report
      stream-trainer evaluate --kind url --family logistic_regression --data urls.csv
    """
    if not bundles and not family_names:
        raise click.UsageError("name a bundle, or a family with --family")
    if not bundles and kind is None:
        raise click.UsageError("without a bundle, --kind says what the data's rows are")
    from trainer.datasets import read_dataset  # noqa: PLC0415
    from trainer.splits import PARTS  # noqa: PLC0415

    examples = examples_of(**data_options)
    for folder in bundles:
        of_bundle = _kind_of(folder)
        kind = kind or of_bundle
        if of_bundle != kind:
            raise click.UsageError(
                f"{folder} is a bundle for kind {of_bundle}, not for {kind}: measure one kind at "
                "a time"
            )
    assert kind is not None  # noqa: S101 - checked above
    dataset = read_dataset(examples, kind, needed=PARTS if family_names else [part])

    # Not before the data is known to be good: TensorFlow takes seconds.
    from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415
    from trainer.building import MALICIOUS_FPR, SUSPICIOUS_FPR  # noqa: PLC0415
    from trainer.families import families  # noqa: PLC0415
    from trainer.report.making import (  # noqa: PLC0415
        candidate_of_bundle,
        candidate_of_family,
        make_report,
    )

    candidates = [
        candidate_of_bundle(str(folder), load_bundle(folder, kind=kind)) for folder in bundles
    ]
    known = families(length_max=_LENGTH_MAX[kind], epochs=epochs)
    validation = dataset.of_part("val")
    for name in family_names:
        fitted = known[name].fit(dataset.of_part("train"), validation, seed=seed, tell=_tell)
        candidates.append(
            candidate_of_family(
                name,
                known[name].summary,
                fitted,
                validation,
                rates=(SUSPICIOUS_FPR, MALICIOUS_FPR),
            )
        )
    rows = dataset.of_part(part)
    try:
        measured = make_report(
            report,
            candidates,
            rows,
            kind=kind,
            title=f"How well {', '.join(candidate.name for candidate in candidates)} detect",
            command=_command(),
            data=f"{_names(examples.paths)}, part {part}: {len(rows.texts):,} rows, "
            f"{int(rows.labels.sum()):,} of them malicious.",
            notes=_notes(dataset),
            tell=_tell,
        )
    except OSError as error:
        raise StreamDetectorError(f"{report} cannot be written: {error.strerror}") from error
    _show(measured)
    if report is not None:
        _tell(f"report: {report / 'report.html'}")


class _OfManifest(msgspec.Struct, frozen=True):
    """What of a bundle's manifest is read before TensorFlow is loaded."""

    kind: Kind


def _kind_of(bundle: Path) -> "Kind":
    """What the bundle is for, as its manifest says; ``load_bundle`` checks all the rest.

    Raises:
        BundleError: there is no manifest that says it.
    """
    path = bundle / "manifest.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=_OfManifest).kind
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): {bundle} is no model bundle"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not a manifest: {error}") from error


@cli.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("study"),
    show_default=True,
    help="Folder for the report: Markdown, HTML, JSON and plots.",
)
@click.option(
    "--family",
    "family_names",
    type=click.Choice(FAMILY_NAMES),
    multiple=True,
    help="Only this one; may be given several times.  [default: all]",
)
@click.option(
    "--imbalance",
    type=click.Choice(["truncate", "oversample", "none"]),
    default="truncate",
    show_default=True,
    help="Leave rows of the larger label out, repeat those of the smaller one, or neither.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=20, show_default=True, help="Of networks."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@native_output_held_back()
def study(
    data: Path,
    report: Path,
    family_names: tuple[str, ...],
    imbalance: "Imbalance",
    epochs: int,
    seed: int,
) -> None:
    """Repeat the study on DATA: lines of url,label without a header (1 malicious, 0 benign).

    Every family is trained on the same rows and measured on the same other ones: one table,
    histories by epoch, 'predicted / actual' for the first rows.

    \b
    Example:
      stream-trainer study data/study/URL.csv
    """
    from trainer.datasets import Examples, read_dataset  # noqa: PLC0415

    examples = Examples(files=(data,), columns=("url", "label"), split="random")
    dataset = read_dataset(examples, "url")

    # Not before the data is known to be good: TensorFlow takes seconds.
    from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
    from trainer.study import run_study  # noqa: PLC0415

    rows = dataset.of_part("test")
    try:
        measured = run_study(
            dataset,
            report,
            names=family_names or FAMILY_NAMES,
            kind="url",
            length_max=_LENGTH_MAX["url"],
            epochs=epochs,
            imbalance=imbalance,
            seed=seed,
            title=f"The study on {data.name}",
            command=_command(),
            data=f"{data.name}, test part, split by chance: {len(rows.texts):,} rows, "
            f"{int(rows.labels.sum()):,} of them malicious.",
            notes=_notes(dataset),
            tell=_tell,
        )
    except OSError as error:
        raise StreamDetectorError(f"{report} cannot be written: {error.strerror}") from error
    _show(measured)
    _tell(f"report: {report / 'report.html'}")


cli.add_command(generate_names_command)
cli.add_command(generate_ordinary_command)
cli.add_command(generate_private_command)
cli.add_command(hold_out)


@contextlib.contextmanager
def _stopped_by_hand(checkpoint: "Checkpoint") -> Iterator[None]:
    """Say on Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = (
            f"the epochs that were done are in {checkpoint.path}; go on with --resume"
            if checkpoint.path.exists()
            else "no epoch was done, so there is nothing to go on with"
        )
        raise StreamDetectorError(f"stopped: {kept}") from None


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=_messages,
        transient=True,  # By the end it shows an epoch that is never run.
        disable=not _messages.is_terminal,
    )


def _show(models: "Sequence[Measured]") -> None:
    table = Table(box=None)
    for heading in ("", "rows", "accuracy", "ROC AUC", "TPR at 1%", "TPR at 0.1%", "ECE"):
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    for model in models:
        at_1, at_01, *_ = model.detections
        table.add_row(
            model.name,
            f"{model.rows:,}",
            f"{model.accuracy:.4f}",
            f"{model.roc_auc:.4f}",
            *[f"{one.tpr.value:.4f}" if one.enough else "too few" for one in (at_1, at_01)],
            f"{model.expected_calibration_error:.4f}",
        )
        for group in model.groups.get("kind", ()):
            if group.tpr is not None and group.roc_auc is not None:
                table.add_row(
                    f"  {group.name}",
                    f"{group.malicious:,}",
                    "",
                    f"{group.roc_auc:.4f}",
                    f"{group.tpr.value:.4f}",
                )
    Console().print(table)


def main() -> None:
    """The command; errors are one line on stderr and exit code 1."""
    # A step is traced once for each of a few lengths, on purpose.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        cli()
    except StreamDetectorError as error:
        _messages.print(f"stream-trainer: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(1)
