"""``replay --from``: scores records of the input topics again, outside of any consumer group.

The outputs have the same ids and topics as a worker's: where a worker has scored a record before,
its verdict exists twice under one id. No offset is committed.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.errors import RetryableError, SettingsError, TopicsError
from stream_detector.events import Chunk, RawRecord
from stream_detector.kafka.announcements import current_announcements
from stream_detector.kafka.clients import client_options, output_options
from stream_detector.kafka.fetched import lone_consumer
from stream_detector.kafka.offset_ranges import OffsetRange, merged_ranges
from stream_detector.kafka.publisher import OutputTopics, Publisher
from stream_detector.kafka.retry import name_of
from stream_detector.kafka.rights import Right
from stream_detector.kafka.topics import cluster_id, right_problems
from stream_detector.limits import FETCH_BYTES_MAX
from stream_detector.metrics import Metrics
from stream_detector.models.serving import load_scorer
from stream_detector.pipeline import Pipeline
from stream_detector.policy.decider import Decider
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Progress
from stream_detector.wire.outcomes import encode
from stream_detector.worker.model_loading import check_store_settings, networks_of

_PUBLISHER = "stream_detector.kafka.publisher"
_POLL_MS = 500
_QUIET_SECONDS = 60.0
"""After this time without a record, reading gives up."""
_PUBLISH_SECONDS = 150.0
"""Kafka may take this long to accept the outputs of a chunk; a worker waits for ever."""


class Missing(NamedTuple):
    """Offsets that could not be read."""

    range: OffsetRange
    why: str


@dataclass
class ScoredAgain:
    """Counts of the outcome."""

    records: int = 0
    verdicts: int = 0
    alerts: int = 0
    dead_letters: int = 0
    missing: list[Missing] = field(default_factory=list)


def of_inputs(settings: Settings, ranges: Sequence[OffsetRange]) -> list[OffsetRange]:
    """``ranges`` by the topics' full names; each may be given with its prefix or without.

    Raises:
        SettingsError: a topic is not an input topic.
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
        StreamDetectorError: Kafka or a model fails; see ``_score_again``, ``load_scorer``.
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
            _score_again(
                settings, ranges, pipeline=pipeline, metrics=metrics, on_progress=stage.update
            )
        )


def _decider(settings: Settings, metrics: Metrics) -> Decider:
    """A decider with the workers' current models: announced, or the bundles of the settings."""
    networks = None
    if settings.model_store:
        check_store_settings(settings)
        announced = asyncio.run(current_announcements(settings)).serving
        networks = asyncio.run(networks_of(announced, settings, metrics))
    return decider_of(load_scorer(settings, networks), settings=settings, metrics=metrics)


class _Shown(logging.Handler):
    """Shows the publisher's log lines: it waits for Kafka, and why."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Show the line."""
        self._progress.tell(record.getMessage())


async def _score_again(
    settings: Settings,
    ranges: Sequence[OffsetRange],
    *,
    pipeline: Pipeline,
    metrics: Metrics,
    on_progress: Callable[[int], object],
) -> ScoredAgain:
    """Read ``ranges``, score their records, and write the outputs to all in-sync replicas.

    ``on_progress`` gets the number of offsets done. ``pipeline`` runs in a thread of its own.

    Raises:
        RetryableError: Kafka went away, or neither sent nor accepted anything for minutes.
        PublishError: Kafka refused an output for good.
        ModelError: as ``Pipeline.parts``.
        DeviceError: as ``Pipeline.parts``.
    """
    scored = ScoredAgain()
    done = 0
    options = client_options(settings, AIOKafkaConsumer)
    options["max_partition_fetch_bytes"] = FETCH_BYTES_MAX
    reading = lone_consumer(options, record_bytes_max=settings.record_bytes_max)
    try:
        async with reading as consumer, AsyncExitStack() as stack:
            producer = AIOKafkaProducer(**output_options(settings))
            stack.push_async_callback(producer.stop)
            await producer.start()
            publisher = Publisher(
                producer,
                OutputTopics.of(settings),
                comparisons_failed=lambda _: None,  # Without shadows there are none.
                metrics=metrics,
            )
            with ThreadPoolExecutor(1, thread_name_prefix="scorer") as scorer:
                for each in ranges:
                    there = await _existing(consumer, each, scored)
                    if there is not None:
                        async for chunk, read in _chunks(consumer, there, settings.batch_records):
                            await _score(chunk, pipeline, scorer, publisher, scored)
                            on_progress(done + read)
                    done += each.offsets
                    on_progress(done)
    except (KafkaError, OSError) as error:
        raise RetryableError(
            f"Kafka failed after {done:,} offsets ({name_of(error)}): check its brokers, and type "
            "the same command again; repeated outputs have the same ids"
        ) from error
    return scored


async def _existing(
    consumer: AIOKafkaConsumer, wanted: OffsetRange, scored: ScoredAgain
) -> OffsetRange | None:
    """The part of ``wanted`` that exists; the rest goes into ``scored.missing``."""
    topic, number, first, last = wanted
    await consumer._client._wait_on_metadata(topic)
    if number not in (consumer.partitions_for_topic(topic) or ()):
        scored.missing.append(Missing(wanted, f"there is no partition {number}"))
        return None
    partition = TopicPartition(topic, number)
    consumer.assign([partition])
    beginning = (await consumer.beginning_offsets([partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    if first < beginning:
        gone = wanted._replace(last=min(last, beginning - 1))
        scored.missing.append(Missing(gone, f"expired, the oldest record there is {beginning}"))
    if last >= end:
        ahead = wanted._replace(first=max(first, end))
        scored.missing.append(Missing(ahead, f"not written yet, the next record there is {end}"))
    there = wanted._replace(first=max(first, beginning), last=min(last, end - 1))
    return there if there.first <= there.last else None


async def _chunks(
    consumer: AIOKafkaConsumer, wanted: OffsetRange, records_max: int
) -> AsyncIterator[tuple[Chunk, int]]:
    """The records of a range chunk by chunk, each with the number of offsets read so far."""
    partition = TopicPartition(wanted.topic, wanted.partition)
    consumer.seek(partition, wanted.first)
    position, heard = wanted.first, time.monotonic()
    while position <= wanted.last:
        found = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=records_max)
        # The position also skips offsets without a record: transaction markers, compaction.
        reached = await consumer.position(partition)
        if reached > position:
            position, heard = reached, time.monotonic()
            records: list[RawRecord] = [
                record for record in found.get(partition, []) if record.offset <= wanted.last
            ]
            read = min(position, wanted.last + 1) - wanted.first
            yield Chunk(wanted.topic, wanted.partition, records), read
        elif time.monotonic() - heard > _QUIET_SECONDS:
            raise RetryableError(
                f"Kafka gave nothing of {wanted} for {_QUIET_SECONDS:.0f} s: check the brokers of "
                "this partition, and type the same command again"
            )


async def _score(
    chunk: Chunk,
    pipeline: Pipeline,
    scorer: ThreadPoolExecutor,
    publisher: Publisher,
    scored: ScoredAgain,
) -> None:
    parts, loop = pipeline.parts([chunk]), asyncio.get_running_loop()
    while (part := await loop.run_in_executor(scorer, next, parts, None)) is not None:
        encoded = encode(part.outcomes)
        try:
            await asyncio.wait_for(publisher.publish(encoded), _PUBLISH_SECONDS)
        except TimeoutError as error:
            raise RetryableError(
                f"Kafka has not taken the outputs for {_PUBLISH_SECONDS:.0f} s: check its brokers, "
                "and type the same command again; repeated outputs have the same ids"
            ) from error
        scored.verdicts += len(encoded.verdicts)
        scored.alerts += len(encoded.alerts)
        scored.dead_letters += len(encoded.dead_letters)
    scored.records += len(chunk.records)
