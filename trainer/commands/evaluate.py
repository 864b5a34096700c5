"""``stream-trainer evaluate``: bundles and model families side by side, on the same rows."""

from pathlib import Path
from typing import Any

import click

from stream_detector.events import Kind
from stream_detector.models.manifest import kind_of_bundle
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, command_line, file_names, show_figures, tell
from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples
from trainer.examples.splits import PARTS, Part


@click.command
@click.argument("bundles", nargs=-1, type=options.PATH)
@options.data
@options.part("Rows to measure on.")
@options.family(
    "Fit this model on the data's training part and measure it like the bundles; may be given "
    "several times."
)
@click.option("--kind", type=options.KIND, help="What to score; needed if no bundle is given.")
@options.epochs(6)
@options.seed
@options.report()
@click.option(
    "--quote-rows/--no-quote-rows",
    default=True,
    help="Whether the report shows rows of the data (the worst errors, the first ones).",
)
@native_output_held_back()
def evaluate(
    bundles: tuple[Path, ...],
    examples: Examples,
    part: Part,
    family_names: tuple[str, ...],
    kind: Kind | None,
    report: Path | None,
    quote_rows: bool,
    **of_fit: Any,
) -> None:
    """Measure bundles with the scorer that serves them, side by side.

    The report compares all others with the first one.

    \b
    stream-trainer evaluate bundles/url data/models/url --data urls.csv --report report
    stream-trainer evaluate --kind url --family logistic_regression --data urls.csv
    """
    if not bundles and not family_names:
        raise click.UsageError("name a bundle, or a family with --family")
    for folder in bundles:
        of_bundle = kind_of_bundle(folder)
        kind = kind or of_bundle
        if of_bundle != kind:
            raise click.UsageError(
                f"{folder} is a bundle for kind {of_bundle}, not for {kind}: measure one kind at "
                "a time"
            )
    if kind is None:
        raise click.UsageError("without a bundle, --kind says what the data's rows are")
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        dataset = read_dataset(examples, kind, needed=PARTS if family_names else [part])

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from trainer.report import making  # noqa: PLC0415

    candidates = [
        *making.bundle_candidates(bundles, kind, examples, progress),
        *making.fitted_candidates(
            family_names,
            dataset.of_part("train"),
            dataset.of_part("val"),
            kind=kind,
            progress=progress,
            **of_fit,
        ),
    ]
    rows = dataset.of_part(part)
    measured = making.make_report(
        report,
        candidates,
        rows,
        kind=kind,
        title=f"How well {', '.join(candidate.name for candidate in candidates)} detect",
        command=command_line(),
        data=f"{file_names(examples.paths)}, part {part}: {rows.size}.",
        notes=dataset.notes,
        quote_rows=quote_rows,
        progress=progress,
    )
    show_figures(measured)
    if report is not None:
        tell(f"report: {report / 'report.html'}")
