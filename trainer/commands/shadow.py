"""``stream-trainer shadow``: where shadow models and the models that serve disagree."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from stream_detector.commands.options import SettingsCommand
from stream_detector.settings.fields import Settings
from stream_detector.terminal.durations import DURATION, written
from trainer.commands import options
from trainer.console import shown_stage, tell
from trainer.shadow.rendering import as_text


@click.group(no_args_is_help=True)
def shadow() -> None:
    """Compare the verdicts of a shadow model on live traffic with those of the model that serves.

    \b
    stream-trainer models shadow bundles/next --share 0.1     # announces one
    stream-trainer shadow report
    stream-trainer models publish bundles/next                # if it is better
    stream-trainer models shadow --end                        # if it is not
    """


@shadow.command(cls=SettingsCommand, short_help="Sum up where the models disagree.")
@click.option(
    "--since", type=DURATION, default="24h", help="How far to look back, such as 90m, 24h or 7d."
)
@click.option(
    "--shadow",
    "version",
    metavar="VERSION",
    help="Which shadow: a sha256 or its beginning, or a version. By default those announced now, "
    "or else the one compared last.",
)
@click.option(
    "--store",
    type=options.FOLDER,
    help="Folder of labels (`labels collect`), to see which model is right.",
)
@options.trust
@click.option(
    "--top",
    type=click.IntRange(0, 1000),
    default=5,
    help="Most domains and most examples of a direction.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a pair of models, a line.")
@options.kafka("topic_prefix", "models_topic", "shadow_topic")
def report(
    since: timedelta,
    version: str | None,
    store: Path | None,
    trust: tuple[str, ...],
    top: int,
    as_json: bool,
    settings: Settings,
) -> None:
    """Sum up the comparisons on the topic url-shadow, up to its present end.

    Shows how many texts were compared, a table of verdicts, and for each direction of disagreement
    (such as benign -> malicious) the registered domains with most texts and the texts whose scores
    differ most; with --store, how many of the texts that are labelled each model has right.

    A text is compared when a worker scores it for the first time. It counts again in the table for
    each other worker and after a restart; directions count distinct texts.

    \b
    stream-trainer shadow report
    stream-trainer shadow report --since 7d --store label-store
    stream-trainer shadow report --json | jq .agreement
    """
    from trainer.shadow.reading import shadow_report  # noqa: PLC0415 - TensorFlow

    with shown_stage("reading comparisons"):
        summaries = shadow_report(
            settings,
            since=datetime.now(UTC) - since,
            version=version,
            label_store=store,
            trust=trust,
            top=top,
            remark=tell,
        )
    if not summaries:
        tell(
            f"nothing was compared in the last {written(since)}: is a shadow announced "
            "(`stream-trainer models list`), and do workers with that model store score new texts?"
        )
    for place, summary in enumerate(summaries):
        if as_json:
            click.echo(msgspec.json.encode(summary).decode())
        else:
            click.echo(("\n\n" if place else "") + as_text(summary))
