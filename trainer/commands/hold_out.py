"""``stream-trainer hold-out``: how well families detect sources that they never saw."""

from pathlib import Path
from typing import Any

import click

from stream_detector.events import Kind
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, command_line, file_names, show, tell
from trainer.examples.datasets import counts_of, read_dataset
from trainer.examples.labelled import Examples


@click.command
@options.kind
@options.data
@options.family(
    "Train this one; may be given several times. The report compares the others with the first.",
    default=("wide_bilstm", "logistic_regression"),
)
@click.option(
    "--group",
    "by",
    type=click.Choice(["source", "kind"]),
    default="source",
    help="Leave out one malicious source at a time, or all malicious rows of one kind (phish, "
    "dga...), by the column 'kind'.",
)
@click.option(
    "--at-least",
    type=click.IntRange(1),
    help="Least malicious rows of a source (or kind) to leave out.  [default: 4000, or 100 if none "
    "has as many]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Leave out only malicious sources (or kinds) whose names match: 'generated_*' are the "
    "classes of algorithms that generate-names writes. May be given several times.",
)
@click.option(
    "--folds",
    type=click.IntRange(0),
    default=4,
    help="Number of groups of benign sources; each training also leaves out one group. 0: leave "
    "out no benign source.",
)
@options.epochs(6)
@options.seed
@options.report("hold-out", also="and for finished trainings")
@click.option(
    "--resume",
    is_flag=True,
    help="Reuse trainings of the same data and options in the report's folder.",
)
@native_output_held_back()
def hold_out(
    kind: Kind,
    examples: Examples,
    family_names: tuple[str, ...],
    by: Any,
    at_least: int | None,
    only: tuple[str, ...],
    folds: int,
    report: Path,
    **of_trainings: Any,
) -> None:
    """Measure model families on sources that they never saw: leave one source out at a time.

    Test rows of known sources flatter a model: new campaigns come from none of them. Each training
    leaves out one malicious source, a group of benign ones, and all their registered domains. The
    malicious source is measured against benign rows of the test part. For each benign source the
    report gives the share of rows flagged at the threshold that flags 1% of those.

    Each family is trained as often as there are malicious sources. Ctrl-C writes the report of the
    finished trainings and ends with exit code 130; --resume continues.

    \b
    stream-trainer hold-out --kind url --data data/labelled/urls.csv.gz --family lexical
    stream-trainer hold-out --kind url --data urls.csv --report unseen
    stream-trainer hold-out --kind host --data hosts.csv --malicious generated.csv \\
        --only 'generated_*' --family wide_bilstm --report unseen-dga
    """
    if examples.split == "source":
        raise click.UsageError(
            "hold-out leaves out each source in turn: without --split source and --hold-out"
        )
    if folds == 1:
        raise click.UsageError("--folds 1 would leave out all benign sources: 0, or 2 and more")
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        dataset = read_dataset(examples, kind)
    tell(f"{len(dataset.texts):,} rows: {counts_of(dataset.counts)}")
    from trainer.hold_out.measuring import HoldOut  # noqa: PLC0415 - scikit-learn

    plan = HoldOut(dataset, by=by, at_least=at_least, only=only, benign_folds=folds)

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from trainer.hold_out.running import run_hold_out  # noqa: PLC0415

    done = run_hold_out(
        plan,
        list(dict.fromkeys(family_names)),
        report,
        kind=kind,
        command=command_line(),
        data=f"{file_names(examples.paths)}: {dataset.size}.",
        notes=dataset.notes,
        progress=progress,
        **of_trainings,
    )
    show(done.lines)
    tell(f"report: {report / 'report.html'}")
    if done.stopped:
        tell(done.stopped)
        raise KeyboardInterrupt
