"""``stream-trainer study``: the study that the project grew from, repeated on one list."""

from pathlib import Path

import click

from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, command_line, show_figures, tell
from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples
from trainer.families import FAMILY_NAMES
from trainer.training.data import Imbalance, resampled


@click.command
@click.argument("data", type=options.PATH)
@options.report("study")
@options.family("Only this one; may be given several times.  [default: all]")
@click.option(
    "--imbalance",
    type=click.Choice(["truncate", "oversample", "none"]),
    default="truncate",
    help="Leave out rows of the larger label, repeat rows of the smaller one, or neither.",
)
@options.epochs(20)
@options.seed
@native_output_held_back()
def study(
    data: Path,
    report: Path,
    family_names: tuple[str, ...],
    imbalance: Imbalance,
    epochs: int,
    seed: int,
) -> None:
    """Repeat the study on DATA: lines of url,label without a header (1 malicious, 0 benign).

    Every family is trained on the same rows and measured on the same other ones: one table,
    histories by epoch, 'predicted / actual' for the first rows.

    \b
    stream-trainer study data/study/URL.csv
    """
    progress = ShownProgress()
    with progress.stage(f"reading {data}"):
        dataset = read_dataset(
            Examples(files=(data,), columns=("url", "label"), split="random"), "url"
        )

    # Not before the data is known to be good: TensorFlow takes seconds.
    with progress.stage("loading TensorFlow"):
        from trainer.report import making  # noqa: PLC0415

    train = resampled(dataset.of_part("train"), imbalance, seed=seed)
    candidates = list(
        making.fitted_candidates(
            family_names or FAMILY_NAMES,
            train,
            dataset.of_part("val"),
            kind="url",
            epochs=epochs,
            seed=seed,
            progress=progress,
        )
    )
    rows = dataset.of_part("test")
    measured = making.make_report(
        report,
        candidates,
        rows,
        kind="url",
        title=f"The study on {data.name}",
        command=command_line(),
        data=f"{data.name}, test part, split by chance: {rows.size}.",
        notes=[*dataset.notes, f"Trained on {len(train.texts):,} rows after '{imbalance}'."],
        progress=progress,
    )
    show_figures(measured)
    tell(f"report: {report / 'report.html'}")
