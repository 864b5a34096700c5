"""``stream-detector replay``: the sample logs into a Kafka that is there."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.progress import ShownProgress
from stream_detector.settings import DATA_FOLDER, SETTING_GROUPS

__all__ = ["pace_options", "replay"]

Command = TypeVar("Command", bound=Callable[..., Any])

_RECORDS = 20_000
_RATE = 200.0
"""Records a second: a hundred seconds, long enough to see on a dashboard."""

_WITHOUT = {*SETTING_GROUPS["Topics"], "group_id", "labels_group_id", "cluster"} - {
    "topic_prefix",
    "input_topics",
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
@pace_options(records=_RECORDS, rate=_RATE, what="write, the sample lines over and over")
@setting_options({"Kafka: how to reach it", "Topics"}, without=_WITHOUT)
def replay(records: int, rate: float, config: Path | None, **flags: object) -> None:
    """Write the sample logs to the first of --input-topics, at a steady rate, for a look at
    workers, dashboards and consumers of alerts.

    The lines are of an office that does not exist, in all formats that the detector reads, with
    far more that looks malicious than in life. Not for a topic that others act on.

    \b
    stream-detector replay
    stream-detector replay --bootstrap-servers kafka-1:9092 --records 500 --rate 50
    """
    if not math.isfinite(rate):
        raise click.BadParameter("give a number of records a second", param_hint="--rate")
    settings, _ = given_settings(config, flags)
    from stream_detector.demo.samples import rounds_of, sample_lines  # noqa: PLC0415
    from stream_detector.kafka.replay import write_records  # noqa: PLC0415

    rounds = rounds_of(sample_lines(DATA_FOLDER / "samples"))
    values = (value for _, value in itertools.islice(rounds, records))

    progress = ShownProgress()
    with progress.stage("writing records", records) as stage:
        topic = write_records(
            settings,
            values,
            rate=rate,
            on_written=stage.update,
            on_away=lambda fault: progress.tell(f"{fault}; trying again"),
        )
    click.echo(f"{records:,} records in {topic}")
