"""``stream-trainer gate``: whether a bundle may take the place of the one that serves."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_detector.commands.options import SettingsCommand, given_settings
from stream_detector.logs.setup import native_output_held_back
from stream_detector.models.manifest import kind_of_bundle
from trainer.commands.example_options import (
    data_of,
    data_options,
    gate_options,
    part_option,
    rules_of,
)
from trainer.commands.models.options import announcing_options
from trainer.console import tell
from trainer.gate.admission import REFUSED_CODE
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from trainer.examples.datasets import Part

__all__ = ["gate"]

_SERVED = "served"
"""As a champion: whichever bundle serves now."""


@click.command(
    cls=SettingsCommand, short_help="Judge whether a bundle may take the served one's place."
)
@click.argument("challenger", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--champion",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The bundle that serves now: a folder, or the word {_SERVED} for the one that is "
    "announced or, where none is, the one that workers are set to. Without, only the checks that "
    "need no champion are made.",
)
@data_options
@part_option("Rows to judge on, which neither bundle was trained on.")
@click.option(
    "--newest",
    type=click.Path(path_type=Path),
    multiple=True,
    help="File as for --data with the newest labels, which neither bundle was trained on: the "
    "challenger must not be right less often beyond chance.",
)
@gate_options
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@announcing_options
@native_output_held_back()
def gate(
    challenger: Path,
    champion: Path | None,
    part: "Part",
    newest: tuple[Path, ...],
    seed: int,
    config: Path | None,
    **options: Any,
) -> int:
    """Judge whether the bundle CHALLENGER may take the place of the one that serves.

    Both are scored on the same rows by the code of a worker. The challenger passes if it finds as
    much as the champion at each false-positive rate served (by paired bootstrap, within --margin),
    its probabilities and thresholds hold, and the lists of what must and must not alert do. The
    decision with all figures is written to CHALLENGER-gate.json, which `models publish` asks for.

    The exit code is 0 if it passed and 3 if it was refused (1 after an error, 2 for a wrong
    command line).

    \b
    stream-trainer gate bundles/new --champion bundles/url --data urls.csv
    stream-trainer gate bundles/new --champion served --data urls.csv \\
      --must-not-alert our-domains.txt --margin 0.01 && stream-trainer models publish bundles/new
    """
    from trainer.examples.datasets import read_dataset  # noqa: PLC0415

    rules, options = rules_of(**options)
    examples, flags = data_of(**options)
    settings, _ = given_settings(config, flags)
    kind = kind_of_bundle(challenger)
    progress = ShownProgress()
    with progress.stage(f"reading {examples}"):
        hold_out = read_dataset(examples, kind, needed=[part]).of_part(part)
    newest_labels = None
    if newest:
        of_newest = examples._replace(
            files=newest, benign=(), malicious=(), extra=(), split="random", held_out=()
        )
        newest_labels = read_dataset(of_newest, kind, needed=[])

    # Not before the data is known to be good: TensorFlow takes seconds.
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415
    from trainer.gate.decision import lines_of, write_decision  # noqa: PLC0415
    from trainer.gate.judging import judge  # noqa: PLC0415
    from trainer.publishing.promotion import reigning_bundle  # noqa: PLC0415
    from trainer.training.building import trained_otherwise  # noqa: PLC0415

    with ExitStack() as stack:
        reigning = champion
        if champion == Path(_SERVED) and not champion.exists():
            reigning = stack.enter_context(reigning_bundle(settings, kind)).folder
        for folder in filter(None, (challenger, reigning)):
            if known_rows := trained_otherwise(load_bundle(folder, kind=kind).manifest, examples):
                tell(f"beware: {known_rows}")
        decision = judge(
            challenger,
            reigning,
            hold_out=hold_out,
            newest=newest_labels,
            options=rules,
            seed=seed,
            progress=progress,
        )
    for line in lines_of(decision.checks):
        click.echo(line)
    tell(f"{'passed' if decision.passed else 'refused'}: {write_decision(challenger, decision)}")
    return 0 if decision.passed else REFUSED_CODE
