"""``stream-trainer hold-out``: how well families detect sources that they never saw."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_detector.logs.setup import native_output_held_back
from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from trainer.commands.example_options import (
    data_options,
    epochs_option,
    examples_of,
    family_option,
    seed_option,
)
from trainer.console import command_line, file_names, tell
from trainer.families import LENGTH_MAX
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_detector.events import Kind
    from trainer.hold_out.measuring import GroupBy, Training
    from trainer.hold_out.report import FamilyMean

_FAMILIES = ("wide_bilstm", "logistic_regression")
_WORST_SHOWN = 3


@click.command("hold-out", short_help="Measure families on sources that they never saw.")
@click.option("--kind", type=click.Choice(["url", "host"]), required=True, help="What to score.")
@data_options
@family_option(
    "Train this one; may be given several times. The report compares the others with the first.",
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
    show_default=True,
    help="Number of groups of benign sources; each training also leaves out one group. 0: leave "
    "out no benign source.",
)
@epochs_option(6)
@seed_option
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hold-out"),
    show_default=True,
    help="Folder for the report (Markdown, HTML, JSON) and for finished trainings.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Reuse trainings of the same data and options in the report's folder.",
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
    if data_options["split"] == "source" or data_options["held_out"]:
        raise click.UsageError(
            "hold-out leaves out each source in turn: without --split source and --hold-out"
        )
    if folds == 1:
        raise click.UsageError("--folds 1 would leave out all benign sources: 0, or 2 and more")
    from trainer.examples.datasets import counts_of, read_dataset  # noqa: PLC0415
    from trainer.hold_out.measuring import HoldOut  # noqa: PLC0415
    from trainer.hold_out.report import (  # noqa: PLC0415
        HoldOutReport,
        family_means,
        held_out_table,
        write_hold_out,
    )
    from trainer.hold_out.running import trainings  # noqa: PLC0415

    examples = examples_of(**data_options)
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        dataset = read_dataset(examples, kind)
    tell(f"{len(dataset.texts):,} rows: {counts_of(dataset.counts)}")
    plan = HoldOut(dataset, by=by, at_least=at_least, only=only, benign_folds=folds)

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from trainer.families.known import families  # noqa: PLC0415

        known = families(length_max=LENGTH_MAX[kind], epochs=epochs)
    names = list(dict.fromkeys(family_names))
    chosen = [known[name] for name in names]
    done: list[Training] = []
    try:
        for training in trainings(
            *(plan, chosen, report),
            kind=kind,
            epochs=epochs,
            seed=seed,
            resume=resume,
            progress=progress,
        ):
            done.append(training)  # noqa: PERF402 - Ctrl-C keeps those before it
    except KeyboardInterrupt:
        if not done:
            tell("stopped: no training was done")
            raise
    wanted = len(plan.folds) * len(chosen)
    stopped = ""
    if len(done) < wanted:
        stopped = f"stopped: {len(done)} of {wanted} trainings are done; go on with --resume"
    means = family_means(done, names)
    write_hold_out(
        report,
        HoldOutReport(
            title=f"How well {', '.join(names)} detect what they never saw",
            command=command_line(),
            data=f"{file_names(examples.paths)}: {dataset.size}.",
            notes=[*dataset.notes, *([f"Incomplete, {stopped}."] if stopped else [])],
            by=by,
            families=means,
            trainings=done,
        ),
    )
    _show(held_out_table(done, means, short=True).rows, means)
    tell(f"report: {report / 'report.html'}")
    if stopped:
        tell(stopped)
        raise KeyboardInterrupt


def _show(rows: "Sequence[Sequence[str]]", means: "Sequence[FamilyMean]") -> None:
    """Print the table of malicious groups, then the benign sources that are flagged most."""
    for line in table_lines(
        [[printable(cell) for cell in row] for row in rows], right={1, 3, 4, 5}
    ):
        click.echo(line)
    for mean in means:
        if mean.flagged is not None:
            worst = ", ".join(
                f"{printable(one.name)} {one.flagged.value:.1%}"
                for one in mean.benign[:_WORST_SHOWN]
            )
            click.echo(
                f"{mean.family}: of {len(mean.benign)} benign sources {mean.flagged:.2%} flagged "
                f"on average, most of {worst}"
            )
