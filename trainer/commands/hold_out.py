"""``stream-trainer hold-out``: how well families detect sources that they never saw."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from stream_detector.errors import StreamDetectorError
from stream_detector.logs.setup import native_output_held_back
from trainer.commands.example_options import data_options, epochs_option, examples_of, family_option
from trainer.console import command_line, counts_of, file_names, notes_on, results, tell
from trainer.families import LENGTH_MAX
from trainer.files.private import make_private_folder
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_detector.events import Kind
    from trainer.families.base import Family
    from trainer.hold_out.measuring import GroupBy, HoldOut, Training
    from trainer.hold_out.report import FamilyMean

__all__ = ["hold_out"]

_FAMILIES = ("wide_bilstm", "logistic_regression")
_WORST_SHOWN = 3


@click.command("hold-out", short_help="Measure families on sources that they never saw.")
@click.option("--kind", type=click.Choice(["url", "host"]), required=True, help="What rows are.")
@data_options
@family_option(
    "Train this one; may be given several times. The first is what the others are compared with.",
    default=_FAMILIES,
)
@click.option(
    "--group",
    "by",
    type=click.Choice(["source", "kind"]),
    default="source",
    show_default=True,
    help="Leave out one malicious source at a time, or all malicious rows of one kind (phish, "
    "dga...), by the column 'kind'.",
)
@click.option(
    "--at-least",
    type=click.IntRange(1),
    help="Malicious rows that a source (or kind) needs to be left out.  [default: 4000, or 100 "
    "where none has as many]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Leave out only malicious sources (or kinds) of such names: 'generated_*' are the classes "
    "of algorithms that generate-names writes. May be given several times.",
)
@click.option(
    "--folds",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Deal the benign sources to so many groups; each training leaves one out as well. 0: "
    "leave no benign source out.",
)
@epochs_option(6)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hold-out"),
    show_default=True,
    help="Folder for the report (Markdown, HTML, JSON) and for what a stopped run goes on with.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Take over trainings of the same data and options that are in the report's folder.",
)
@native_output_held_back()
def hold_out(
    kind: "Kind",
    family_names: tuple[str, ...],
    by: "GroupBy",
    at_least: int | None,
    only: tuple[str, ...],
    folds: int,
    epochs: int,
    seed: int,
    report: Path,
    resume: bool,
    **data_options: Any,
) -> None:
    """Measure model families on sources that they never saw: leave one source out at a time.

    Test rows of known sources flatter a model, as new campaigns come from none of them. Each
    training goes without one malicious source and a group of benign ones, and without their
    registered domains. The malicious source is measured against benign rows of the test part, of
    each benign source the share is told that is flagged where 1% of those are.

    There are as many trainings a family as malicious sources. Ctrl-C writes the report of those
    that are done and ends with exit code 130; --resume goes on.

    \b
    stream-trainer hold-out --kind url --data data/labelled/urls.csv.gz --family lexical
    stream-trainer hold-out --kind url --data urls.csv --report unseen
    stream-trainer hold-out --kind host --data hosts.csv --malicious generated.csv \\
        --only 'generated_*' --family wide_bilstm --report unseen-dga
    """
    if data_options["split"] == "source" or data_options["held_out"]:
        raise click.UsageError(
            "hold-out leaves out each source in turn: without --split source and --hold-out"
        )
    if folds == 1:
        raise click.UsageError("--folds 1 would leave out all benign sources: 0, or 2 and more")
    from trainer.examples.datasets import read_dataset  # noqa: PLC0415
    from trainer.hold_out.measuring import HoldOut  # noqa: PLC0415
    from trainer.hold_out.report import (  # noqa: PLC0415
        HoldOutReport,
        family_means,
        held_out_table,
        write_hold_out,
    )

    examples = examples_of(**data_options)
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        dataset = read_dataset(examples, kind)
    tell(f"{len(dataset.texts):,} rows: {counts_of(dataset.counts)}")
    plan = HoldOut(dataset, by=by, at_least=at_least, only=only, benign_folds=folds)

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from stream_detector.models import device  # noqa: F401, PLC0415 - quiets TensorFlow first
        from trainer.families import families  # noqa: PLC0415

        known = families(length_max=LENGTH_MAX[kind], epochs=epochs)
    chosen = [known[name] for name in dict.fromkeys(family_names)]
    wanted = len(plan.folds) * len(chosen)
    done: list[Training] = []
    try:
        make_private_folder(report)
        for training in _trainings(
            *(plan, chosen, report, (kind, epochs, seed), progress), resume=resume
        ):
            done.append(training)  # noqa: PERF402 - those before Ctrl-C are kept
    except KeyboardInterrupt:
        if not done:
            tell("stopped: no training was done")
            raise
    except OSError as error:
        raise StreamDetectorError(f"{report} cannot be written: {error.strerror}") from error
    stopped = (
        f"stopped: {len(done)} of {wanted} trainings are done; go on with --resume"
        if len(done) < wanted
        else ""
    )
    means = family_means(done, [family.name for family in chosen])
    try:
        write_hold_out(
            report,
            HoldOutReport(
                title=f"How well {', '.join(one.name for one in chosen)} detect what they never "
                "saw",
                created_at=datetime.now(UTC).replace(microsecond=0),
                command=command_line(),
                data=f"{file_names(examples.paths)}: {len(dataset.texts):,} rows, "
                f"{int(dataset.labels.sum()):,} of them malicious.",
                notes=[*notes_on(dataset), *([f"Incomplete, {stopped}."] if stopped else [])],
                by=by,
                families=means,
                trainings=done,
            ),
        )
    except OSError as error:
        raise StreamDetectorError(f"{report} cannot be written: {error.strerror}") from error
    _show(held_out_table(done, means, short=True).rows, means)
    tell(f"report: {report / 'report.html'}")
    if stopped:
        tell(stopped)
        raise KeyboardInterrupt


def _trainings(
    plan: "HoldOut",
    chosen: "Sequence[Family]",
    report: Path,
    options: "tuple[Kind, int, int]",
    progress: ShownProgress,
    *,
    resume: bool,
) -> "Iterator[Training]":
    """Every family on every fold, each kept in the report's folder as soon as it is done.

    ``options`` are kind, epochs and seed: with ``resume``, trainings that were kept are taken over
    where these, the data and the fold are the same.
    """
    from trainer.hold_out.measuring import TrainingStore  # noqa: PLC0415

    store = TrainingStore(report / "trainings")
    wanted = [(fold, family) for fold in plan.folds for family in chosen]
    for number, (fold, family) in enumerate(wanted, start=1):
        identity = plan.identity(fold, family.name, *options)
        training = store.load(family.name, identity) if resume else None
        tell(
            f"training {number} of {len(wanted)}: {family.name} without {fold}"
            f"{', done before' if training else ''}"
        )
        if training is None:
            training = plan.train(
                fold, family, identity=identity, seed=options[-1], progress=progress
            )
            store.save(training)
        tell(f"  {_in_short(training)}")
        yield training


def _in_short(training: "Training") -> str:
    """What a training showed, in a line."""
    said = [f"{training.seconds:.0f} s"]
    if training.malicious is not None:
        at_1 = training.malicious.detections[0]
        said = [
            f"{training.malicious.name}: ROC AUC {training.malicious.roc_auc:.4f}",
            f"TPR at FPR 1% {at_1.tpr.value:.3f}" if at_1.enough else "too few benign rows for TPR",
            *said,
        ]
    if training.benign:
        worst = max(training.benign, key=lambda one: one.flagged.value)
        said.insert(-1, f"benign most flagged: {worst.name}, {worst.flagged.value:.1%}")
    return ", ".join(said)


def _show(rows: "Sequence[Sequence[str]]", means: "Sequence[FamilyMean]") -> None:
    """The table of malicious groups, and below it which benign sources are flagged most."""
    heading, *body = rows
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(heading):
        table.add_column(name, justify="left" if place in {0, 2} else "right", overflow="fold")
    for row in body:
        table.add_row(*row)
    console = results()
    console.print(table)
    for mean in means:
        if mean.flagged is not None:
            worst = ", ".join(
                f"{one.name} {one.flagged.value:.1%}" for one in mean.benign[:_WORST_SHOWN]
            )
            console.print(
                f"{mean.family}: of {len(mean.benign)} benign sources {mean.flagged:.2%} flagged "
                f"on average, most of {worst}",
                soft_wrap=True,
                highlight=False,
            )
