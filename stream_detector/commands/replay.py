"""``stream-detector replay``: the sample logs into a Kafka, or passed-over records scored again."""

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.settings.fields import DATA_FOLDER, SETTING_GROUPS
from stream_detector.terminal.progress import ShownProgress

__all__ = ["pace_options", "replay"]

Command = TypeVar("Command", bound=Callable[..., Any])

_RECORDS = 20_000
_RATE = 200.0
"""Records a second: a hundred seconds, long enough to see on a dashboard."""

_SETTINGS = {*SETTING_GROUPS} - {"Running"}
_WITHOUT = {
    *("group_id", "labels_group_id", "labels_topic", "feed_labels_topic", "label_feeds"),
    *("label_keys", "labels_dead_letters_topic", "topic_partitions", "topic_replication_factor"),
    *("start_at", "linger_ms", "chunk_records", "buffered_bytes_max", "shadow_topic"),
}


def pace_options(*, records: int, rate: float, what: str) -> Callable[[Command], Command]:
    """Options ``--records`` and ``--rate`` with these defaults; ``what`` is done with records."""

    def decorate(command: Command) -> Command:
        count = click.option(
            "--records",
            type=click.IntRange(min=1),
            default=records,
            show_default=True,
            help=f"How many records to {what}.",
        )
        pace = click.option(
            "--rate",
            type=click.FloatRange(min=1),
            default=rate,
            show_default=True,
            help="How many a second.",
        )
        return count(pace(command))

    return decorate


@click.command(cls=SettingsCommand)
@click.option(
    "--from",
    "ranges",
    multiple=True,
    metavar="OFFSETS",
    help="Score again the records at these offsets, TOPIC:PARTITION:FIRST-LAST, both among them. "
    "May be given several times.",
)
@click.option(
    "--from-file",
    "range_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="The same from a file, one OFFSETS a line; - is stdin.",
)
@pace_options(records=_RECORDS, rate=_RATE, what="write, the sample lines over and over")
@setting_options(_SETTINGS, without=_WITHOUT)
def replay(
    ranges: tuple[str, ...],
    range_files: tuple[Path, ...],
    records: int,
    rate: float,
    config: Path | None,
    **flags: object,
) -> None:
    """Write the sample logs to the first of --input-topics, at a steady rate, for a look at
    workers, dashboards and consumers of alerts. With --from, score records of the input topics
    again.

    The sample lines are of an office that does not exist, in all formats that the detector reads,
    with far more that looks malicious than in life. Not for a topic that others act on.

    \b
    stream-detector replay
    stream-detector replay --bootstrap-servers kafka-1:9092 --records 500 --rate 50
    stream-detector replay --from url-events:3:1200-1249
    stream-detector replay --from-file passed-over.txt --config detector.toml

    --from is for records that somebody else committed in the workers' group: the workers' log
    names the command. It needs the workers' settings and models. Verdicts, alerts and dead letters
    go to the workers' topics, with the ids that the workers would have given: a record that is
    scored twice has one id. Workers may run meanwhile; no offset is committed. Exits with 1 if
    some records are not there any more; each range is named.
    """
    if ranges or range_files:
        _score_again(ranges, range_files, config, flags)
        return
    if not math.isfinite(rate):
        raise click.BadParameter("give a number of records a second", param_hint="--rate")
    settings, _ = given_settings(config, flags)
    from stream_detector.demo.samples import rounds_of, sample_lines  # noqa: PLC0415
    from stream_detector.kafka.confirmed import write_records  # noqa: PLC0415

    rounds = rounds_of(sample_lines(DATA_FOLDER / "samples"))
    values = (value for _, value in itertools.islice(rounds, records))

    progress = ShownProgress()
    with progress.stage("writing records", records) as stage:
        topic = write_records(
            settings,
            values,
            rate=rate,
            on_written=lambda count, _: stage.update(count),
            on_away=lambda fault: progress.tell(f"{fault}; trying again"),
        )
    click.echo(f"{records:,} records in {topic}")


def _score_again(
    ranges: tuple[str, ...],
    range_files: tuple[Path, ...],
    config: Path | None,
    flags: Mapping[str, object],
) -> None:
    from stream_detector.commands.score_again import (  # noqa: PLC0415
        given_ranges,
        score_ranges_again,
    )

    for option in ("records", "rate"):
        source = click.get_current_context().get_parameter_source(option)
        if source is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{option} is for sample logs: leave it out with --from")
    offsets = given_ranges(ranges, range_files)
    settings, _ = given_settings(config, flags)
    score_ranges_again(settings, offsets)
