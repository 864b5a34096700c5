"""``stream-trainer drift``: how verdicts moved, and which topics and domains moved them."""

from pathlib import Path
from typing import Any

import click
import msgspec

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.settings.fields import Settings
from stream_detector.terminal.durations import DURATION
from trainer.commands import options
from trainer.console import ShownProgress, show, tell
from trainer.drift.comparing import drift_report
from trainer.drift.references import References
from trainer.drift.rendering import lines_of


@click.command(cls=SettingsCommand)
@click.option(
    "--since",
    type=DURATION,
    default="24h",
    help="The recent window: how far back it goes from now (from the last verdict of --file).",
)
@click.option(
    "--baseline",
    type=DURATION,
    default="7d",
    help="The window before it, which it is compared with.",
)
@click.option(
    "--sample",
    type=click.IntRange(1, 10_000_000),
    default=20_000,
    help="At most so many verdicts of each partition and window, spread evenly over it.",
)
@click.option(
    "--file",
    "files",
    type=options.FILE,
    multiple=True,
    help="Read verdicts, JSON lines as the topic has them (also .gz), instead of Kafka; may be "
    "given several times.",
)
@click.option(
    "--bundle",
    "bundles",
    type=options.FOLDER,
    multiple=True,
    help="Bundle whose reference to compare with, where neither the settings' bundles nor the "
    "model store have the one that scored; may be given for each kind.",
)
@click.option(
    "--top",
    "groups_shown",
    type=click.IntRange(1, 1000),
    default=10,
    help="How many domains to name of each sort.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with all bins.")
@click.option("--plot", type=options.FILE, help="Draw the distributions into this SVG file.")
@options.kafka("topic_prefix", "verdicts_topic", "model_store")
def drift(
    bundles: tuple[Path, ...],
    as_json: bool,
    plot: Path | None,
    settings: Settings,
    **windows: Any,
) -> None:
    """Compare the last day's verdicts with the week before, and with the bundle's reference.

    For each model that scored: how far the scores and the inputs (length, dots, digits, depth,
    query) have moved, in which bins, and how much of it each input topic and registered domain
    adds; which domains are new, and which are gone. Reads the topic of verdicts without a group,
    so it disturbs no one. Verdicts that came a second time, after a crash, count twice.

    \b
    stream-trainer drift --bootstrap-servers kafka-1:9092
    stream-trainer drift --since 2h --baseline 1d --plot drift.svg
    stream-trainer drift --file verdicts.jsonl --json | jq '.models[].statistics[0]'
    """
    found = drift_report(
        settings, References(bundles, settings), progress=ShownProgress(), **windows
    )
    if plot is not None:
        from trainer.drift.plotting import drift_plot  # noqa: PLC0415 - matplotlib

        try:
            plot.write_bytes(drift_plot(found))
        except OSError as error:
            raise StreamDetectorError(f"{plot} can't be written: {error.strerror}") from error
        tell(f"plot: {plot}")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(lines_of(found))
