"""``stream-trainer shadow``: what shadow models say beside those that serve."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import StreamDetectorError
from stream_detector.settings.fields import SETTING_GROUPS, Settings
from stream_detector.terminal.durations import DURATION, written
from trainer.commands.label_options import trusted
from trainer.console import tell
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.events import LabelName
    from stream_detector.wire.comparisons import Disagreement
    from trainer.shadow.summary import Gathered, LabelOf

__all__ = ["shadow"]

_OTHERS = {*SETTING_GROUPS["Topics"], *SETTING_GROUPS["Announced models"]}
_WITHOUT = (_OTHERS - {"topic_prefix", "models_topic", "shadow_topic"}) | {
    "group_id",
    "labels_group_id",
    "cluster",
}


@click.group(no_args_is_help=True, short_help="What shadow models say beside those that serve.")
def shadow() -> None:
    """Sum up what a shadow model says of live traffic, beside the model that serves.

    \b
    stream-trainer models shadow bundles/next --share 0.1     # announces one
    stream-trainer shadow report
    stream-trainer models publish bundles/next                # if it is better
    stream-trainer models shadow --end                        # if it is not
    """


@shadow.command(cls=SettingsCommand, short_help="Sum up where the models disagree.")
@click.option(
    "--since",
    type=DURATION,
    default="24h",
    show_default=True,
    help="How far to look back, such as 90m, 24h or 7d.",
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
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of labels (`labels collect`), to see which model is right.",
)
@click.option("--trust", metavar="A,B", default="", help="As for `labels show`.")
@click.option(
    "--top",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="Most domains and most examples of a direction.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a pair of models, a line.")
@setting_options({"Kafka: how to reach it", "Topics", "Announced models"}, without=_WITHOUT)
def report(
    since: timedelta,
    version: str | None,
    store: Path | None,
    trust: str,
    top: int,
    as_json: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Sum up what workers wrote to the topic url-shadow, up to its end as it is now.

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
    settings, _ = given_settings(config, flags)
    # What it would print is told by errors.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    import msgspec  # noqa: PLC0415 - see trainer.cli

    from trainer.shadow.reading import read_comparisons  # noqa: PLC0415
    from trainer.shadow.rendering import as_text  # noqa: PLC0415
    from trainer.shadow.summary import gather  # noqa: PLC0415

    with ShownProgress().stage("reading comparisons"):
        gathered = gather(read_comparisons(settings, since=datetime.now(UTC) - since))
    if gathered.unreadable:
        tell(f"{gathered.unreadable:,} records are no comparisons and are passed over")
    shadows = _chosen(settings, gathered, version)
    label_of = _labels(store, trust, gathered.disagreements(shadows)) if store else None
    summaries = gathered.summaries(shadows, label_of=label_of, top=top)
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


def _chosen(settings: Settings, gathered: "Gathered", version: str | None) -> list[str]:
    """The sha256 of the shadows to report on.

    Raises:
        StreamDetectorError: none that was compared is ``version``, or several are.
    """
    compared = gathered.shadows()
    if version is None:
        from trainer.publishing.promotion import announced_now  # noqa: PLC0415

        announced = [one.sha256 for one in announced_now(settings).shadows.values()]
        if not announced and compared:
            last = list(compared.values())[-1]
            tell(f"no shadow is announced; the last was {last.name} {last.version}")
            return [last.sha256]
        return announced
    found = [
        ref.sha256
        for ref in compared.values()
        if ref.version == version or (version and ref.sha256.startswith(version))
    ]
    if len(found) == 1:
        return found
    raise StreamDetectorError(
        f"{'more than one' if found else 'no'} shadow {version!r} was compared in this time: give "
        f"one of {', '.join(compared) or 'a longer --since'}"
    )


def _labels(store: Path, trust: str, disagreements: "Iterable[Disagreement]") -> "LabelOf":
    """What the store says of the texts of ``disagreements``.

    Raises:
        StreamDetectorError: there is no store, or it can't be read.
    """
    from trainer.labels.resolution import resolve  # noqa: PLC0415 - imports much
    from trainer.labels.store import filled_store  # noqa: PLC0415

    texts = {each.canonical for each in disagreements}
    resolved = resolve(filled_store(store).labels_of(texts), trust=trusted(trust))

    def label_of(disagreement: "Disagreement") -> "LabelName | None":
        found = resolved.get(disagreement.canonical)
        return found.label if found is not None and disagreement.kind in found.kinds else None

    return label_of
