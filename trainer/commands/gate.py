"""``stream-trainer gate``: whether a bundle may replace the one that serves."""

from contextlib import ExitStack
from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.models.manifest import kind_of_bundle
from stream_detector.settings.fields import Settings
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, show, tell
from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples
from trainer.examples.splits import Part
from trainer.gate.admission import REFUSED_CODE
from trainer.gate.decision import lines_of, write_decision
from trainer.gate.options import GateOptions

_SERVED = "served"
"""As a champion: whichever bundle serves now."""


@click.command(cls=SettingsCommand)
@click.argument("challenger", type=options.FOLDER)
@click.option(
    "--champion",
    type=options.FOLDER,
    help=f"The bundle that serves now: a folder, or the word {_SERVED} for the one that is "
    "announced or, where none is, the one that the workers' settings name. Without, only the "
    "checks that need no champion are made.",
)
@options.data
@options.part("Rows to judge on, which neither bundle was trained on.")
@click.option(
    "--newest",
    type=options.PATH,
    multiple=True,
    help="File as for --data with the newest labels, which neither bundle was trained on: the "
    "challenger must not be right less often beyond chance.",
)
@options.gate_rules
@options.seed
@options.kafka("topic_prefix", "models_topic", "model_store", "url_bundle", "host_bundle")
@native_output_held_back()
def gate(
    challenger: Path,
    champion: Path | None,
    examples: Examples,
    part: Part,
    newest: tuple[Path, ...],
    rules: GateOptions,
    seed: int,
    settings: Settings,
) -> int:
    """Judge whether the bundle CHALLENGER may replace the one that serves.

    Both are scored on the same rows by the code of a worker. The challenger passes if it finds as
    much as the champion at each false-positive rate served (by paired bootstrap, within --margin),
    its probabilities and thresholds hold, and it gets the lists of what must and must not alert
    right. The decision with all figures is written to CHALLENGER-gate.json, which `models publish`
    asks for.

    The exit code is 0 if it passed and 3 if it was refused (1 after an error, 2 for a wrong
    command line).

    \b
    stream-trainer gate bundles/new --champion bundles/url --data urls.csv
    stream-trainer gate bundles/new --champion served --data urls.csv \\
      --must-not-alert our-domains.txt --margin 0.01 && stream-trainer models publish bundles/new
    """
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
    from trainer.gate.judging import judge  # noqa: PLC0415
    from trainer.publishing.promotion import reigning_bundle  # noqa: PLC0415
    from trainer.training.building import trained_otherwise  # noqa: PLC0415

    with ExitStack() as stack:
        reigning = champion
        if champion == Path(_SERVED) and not champion.exists():
            reigning = stack.enter_context(reigning_bundle(settings, kind)).folder
        for folder in filter(None, (challenger, reigning)):
            if known_rows := trained_otherwise(folder, kind, examples):
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
    show(lines_of(decision.checks))
    tell(f"{'passed' if decision.passed else 'refused'}: {write_decision(challenger, decision)}")
    return 0 if decision.passed else REFUSED_CODE
