"""Scores records again that workers skipped, with the models that the workers serve now."""

import asyncio
import logging
from collections.abc import Sequence

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.errors import SettingsError, TopicsError
from stream_detector.kafka.announcements import current_announcements
from stream_detector.kafka.offset_ranges import OffsetRange, merged_ranges
from stream_detector.kafka.rights import Right
from stream_detector.kafka.topics import cluster_id, right_problems
from stream_detector.metrics import Metrics
from stream_detector.models.serving import load_scorer
from stream_detector.policy.decider import Decider
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Progress
from stream_detector.worker.model_following import check_store_settings, networks_of
from stream_detector.worker.range_scoring import ScoredAgain, score_again

__all__ = ["of_inputs", "score_ranges_again"]

_PUBLISHER = "stream_detector.kafka.publisher"


def of_inputs(settings: Settings, ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """``ranges`` by the topics' full names; each may be given with its prefix or without.

    Raises:
        SettingsError: a topic is no input topic.
    """
    inputs = settings.input_topic_names
    named = []
    for each in ranges:
        topic = each.topic if each.topic in inputs else settings.topic(each.topic)
        if topic not in inputs:
            raise SettingsError(
                f"topic {each.topic} is not among input_topics ({', '.join(inputs)}): give this "
                "command the settings of the workers"
            )
        named.append(each._replace(topic=topic))
    return merged_ranges(named)


def score_ranges_again(
    settings: Settings, ranges: Sequence[OffsetRange], progress: Progress
) -> ScoredAgain:
    """Score the records of ``ranges``, which are of input topics, and write the outputs.

    Raises:
        TopicsError: a topic is missing or may not be used.
        StreamDetectorError: as ``score_again``, ``load_scorer`` and ``current_announcements``.
    """
    metrics = Metrics()
    with progress.stage("checking the topics") as stage:
        rights = [Right("topic", topic, "READ") for topic in dict.fromkeys(r.topic for r in ranges)]
        rights += [Right("topic", topic, "WRITE") for topic in settings.output_topic_names]
        if problems := right_problems(settings, rights):
            raise TopicsError("; ".join(problems))
        cluster = settings.cluster or cluster_id(settings)
        stage.begin("loading the models")
        decider = _decider(settings, metrics)
        pipeline = pipeline_of(settings=settings, decider=decider, metrics=metrics, cluster=cluster)
        stage.begin("scoring records again", sum(each.offsets for each in ranges))
        logging.getLogger(_PUBLISHER).addHandler(_Shown(progress))
        return asyncio.run(
            score_again(
                settings, ranges, pipeline=pipeline, metrics=metrics, on_progress=stage.update
            )
        )


def _decider(settings: Settings, metrics: Metrics) -> Decider:
    """What decides in the workers now: the announced models, or the bundles of the settings."""
    networks = None
    if settings.model_store:
        check_store_settings(settings)
        announced = asyncio.run(current_announcements(settings)).serving
        networks = asyncio.run(networks_of(announced, settings, metrics))
    return decider_of(load_scorer(settings, networks), settings=settings, metrics=metrics)


class _Shown(logging.Handler):
    """Shows what the publisher logs: that it waits for Kafka, and why."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Show the line."""
        self._progress.tell(record.getMessage())
