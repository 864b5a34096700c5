"""``stream-detector replay``: the sample logs into a Kafka, or passed-over records scored again."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import click

from stream_detector.commands.options import (
    SettingsCommand,
    is_given,
    pace_options,
    settings_of,
    with_settings,
)
from stream_detector.demo.samples import rounds_of, sample_lines
from stream_detector.errors import StreamDetectorError
from stream_detector.kafka.confirmed import write_records
from stream_detector.kafka.offset_ranges import OffsetRange, merged_ranges, read_ranges
from stream_detector.settings.fields import DATA_FOLDER, Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress
from stream_detector.worker.scoring_again import of_inputs, score_ranges_again

_RECORDS = 20_000
_RATE = 200.0
"""Records a second: a hundred seconds, long enough to see on a dashboard."""

_UNUSED = {
    *settings_of("Running"),
    *("group_id", "labels_group_id", "labels_topic", "feed_labels_topic", "label_feeds"),
    *("label_keys", "labels_dead_letters_topic", "topic_partitions", "topic_replication_factor"),
    *("start_at", "shadow_topic"),
}


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
@with_settings(Settings.model_fields.keys() - _UNUSED)
def replay(
    ranges: tuple[str, ...],
    range_files: tuple[Path, ...],
    records: int,
    rate: float,
    settings: Settings,
) -> None:
    """Write the sample logs to the first of --input-topics at a steady rate, to try workers,
    dashboards and consumers of alerts. With --from, score records of the input topics again.

    The sample lines come from a fictitious office, in all formats that the detector reads, with far
    more malicious-looking traffic than a real one has. Do not write them to a production topic.

    \b
    stream-detector replay
    stream-detector replay --bootstrap-servers kafka-1:9092 --records 500 --rate 50
    stream-detector replay --from url-events:3:1200-1249
    stream-detector replay --from-file passed-over.txt --config detector.toml

    Use --from after another consumer committed offsets in the workers' group, so that the workers
    skipped records: their log prints the command. It needs the workers' settings and models.
    Verdicts, alerts and dead letters go to the workers' topics with the workers' ids, so a record
    that is scored twice keeps one id. Workers may run meanwhile; no offset is committed. Exits with
    1 if some records have expired, and names each range.
    """
    if ranges or range_files:
        for option in ("records", "rate"):
            if is_given(option):
                raise click.UsageError(f"--{option} is for sample logs: leave it out with --from")
        _score_again(settings, _given_ranges(ranges, range_files))
    elif not math.isfinite(rate):
        raise click.BadParameter("give a number of records a second", param_hint="--rate")
    else:
        _write_samples(settings, records, rate)


def _write_samples(settings: Settings, records: int, rate: float) -> None:
    rounds = rounds_of(sample_lines(DATA_FOLDER / "samples"))
    progress = ShownProgress()
    with progress.stage("writing records", records) as stage:
        topic = write_records(
            settings,
            (value for _, value in itertools.islice(rounds, records)),
            rate=rate,
            on_written=lambda count, _: stage.update(count),
            on_away=lambda fault: progress.tell(f"{fault}; trying again"),
        )
    click.echo(f"{records:,} records in {topic}")


def _given_ranges(texts: Sequence[str], files: Sequence[Path]) -> list[OffsetRange]:
    """What ``--from`` and ``--from-file`` name, each offset once."""
    ranges = [each for text in texts for each in read_ranges([text], "--from")]
    for file in files:
        with click.open_file(str(file), encoding="utf-8", errors="replace") as lines:
            ranges += read_ranges(lines, str(file))
    if not ranges:
        raise click.UsageError("--from-file holds no offsets: write TOPIC:PARTITION:FIRST-LAST")
    return merged_ranges(ranges)


def _score_again(settings: Settings, ranges: Sequence[OffsetRange]) -> None:
    """Score the records of ``ranges`` and print the counts; an error if some are missing."""
    ranges = of_inputs(settings, ranges)
    scored = score_ranges_again(settings, ranges, ShownProgress())
    for range_, why in scored.missing:
        click.echo(f"{range_}: {why}")
    partitions = len({each[:2] for each in ranges})
    click.echo(
        f"{counted(scored.records, 'record')} of {counted(partitions, 'partition')} scored again: "
        f"{counted(scored.verdicts, 'verdict')}, {counted(scored.alerts, 'alert')}, "
        f"{counted(scored.dead_letters, 'dead letter')}"
    )
    if missing := sum(each.range.offsets for each in scored.missing):
        raise StreamDetectorError(
            f"{counted(missing, 'offset')} could not be scored, see above: check the offsets; "
            "records that have expired are lost"
        )
