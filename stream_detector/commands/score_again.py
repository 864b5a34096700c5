"""``stream-detector replay --from``: records that were passed over are scored after all."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_detector.errors import StreamDetectorError, TopicsError
from stream_detector.kafka.offset_ranges import OffsetRange, merged_ranges, read_ranges
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import Progress, ShownProgress

if TYPE_CHECKING:
    from stream_detector.metrics import Metrics
    from stream_detector.policy.decider import Decider
    from stream_detector.worker.scoring_again import ScoredAgain

__all__ = ["given_ranges", "score_ranges_again"]

_PUBLISHER = "stream_detector.kafka.publisher"


def given_ranges(texts: Sequence[str], files: Sequence[Path]) -> list[OffsetRange]:
    """What ``--from`` and ``--from-file`` name, each offset once.

    Raises:
        SettingsError: one of them is no range.
        OSError: a file can't be read.
    """
    ranges = [each for text in texts for each in read_ranges([text], "--from")]
    for file in files:
        with click.open_file(str(file), encoding="utf-8", errors="replace") as lines:
            ranges += read_ranges(lines, str(file))
    if not ranges:
        raise click.UsageError("--from-file holds no offsets: write TOPIC:PARTITION:FIRST-LAST")
    return merged_ranges(ranges)


def score_ranges_again(settings: Settings, ranges: Sequence[OffsetRange]) -> None:
    """Score the records of ``ranges``, and say what became of them.

    Raises:
        StreamDetectorError: not all of them could be scored.
    """
    from stream_detector.assembly import pipeline_of  # noqa: PLC0415
    from stream_detector.kafka.topics import cluster_id  # noqa: PLC0415
    from stream_detector.metrics import Metrics  # noqa: PLC0415
    from stream_detector.worker.scoring_again import score_again  # noqa: PLC0415 - see the package

    ranges = _of_inputs(settings, ranges)
    progress, metrics = ShownProgress(), Metrics()
    with progress.stage("checking the topics") as stage:
        _check_topics(settings, ranges)
        cluster = settings.cluster or cluster_id(settings)
        stage.begin("loading the models")
        decider = _decider(settings, metrics)
        pipeline = pipeline_of(settings=settings, decider=decider, metrics=metrics, cluster=cluster)
        stage.begin("scoring records again", sum(each.offsets for each in ranges))
        logging.getLogger(_PUBLISHER).addHandler(_Told(progress))
        scored = asyncio.run(
            score_again(
                settings, ranges, pipeline=pipeline, metrics=metrics, on_progress=stage.update
            )
        )
    _tell(scored, ranges)


def _of_inputs(settings: Settings, ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """``ranges`` by the topics' full names; each may be given with its prefix or without."""
    inputs = settings.input_topic_names
    named = []
    for each in ranges:
        topic = each.topic if each.topic in inputs else settings.topic(each.topic)
        if topic not in inputs:
            raise click.UsageError(
                f"topic {each.topic} is not among input_topics ({', '.join(inputs)}): give this "
                "command the settings of the workers"
            )
        named.append(each._replace(topic=topic))
    return merged_ranges(named)


def _check_topics(settings: Settings, ranges: Sequence[OffsetRange]) -> None:
    from stream_detector.kafka.rights import Right  # noqa: PLC0415
    from stream_detector.kafka.topics import right_problems  # noqa: PLC0415

    uses = [Right("topic", topic, "READ") for topic in dict.fromkeys(r.topic for r in ranges)]
    uses += [Right("topic", topic, "WRITE") for topic in settings.output_topic_names]
    if problems := right_problems(settings, uses):
        raise TopicsError("; ".join(problems))


def _decider(settings: Settings, metrics: "Metrics") -> "Decider":
    """What decides in the workers now: what is announced, or the bundles of the settings."""
    from stream_detector.assembly import decider_of  # noqa: PLC0415
    from stream_detector.kafka.announcements import current_announcements  # noqa: PLC0415
    from stream_detector.models.serving import load_scorer  # noqa: PLC0415
    from stream_detector.worker.model_following import check_store_settings, networks_of  # noqa: PLC0415

    networks = None
    if settings.model_store:
        check_store_settings(settings)
        announced = asyncio.run(current_announcements(settings)).serving
        networks = asyncio.run(networks_of(announced, settings, metrics))
    return decider_of(load_scorer(settings, networks), settings=settings, metrics=metrics)


class _Told(logging.Handler):
    """Shows what the publisher logs: that it waits for Kafka, and why."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Show the line."""
        self._progress.tell(record.getMessage())


def _tell(scored: "ScoredAgain", ranges: Sequence[OffsetRange]) -> None:
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
