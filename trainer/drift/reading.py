"""Verdicts from Kafka, without a group, or from files: of each window as much as is asked for."""

import gzip
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.errors import RetryableError, StreamDetectorError
from stream_detector.kafka.admin import as_ours
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.topics import check_topic
from stream_detector.settings import Settings
from trainer.drift.verdicts import Verdicts

__all__ = ["read_files", "read_topic"]

_BATCH_RECORDS = 5_000
_BLOCKS = 16
"""Where a partition has more than is asked for, so many stretches of it are read, evenly spread:
each is read in one go, and all hours of the window are among them."""
_POLL_MS = 500
_QUIET_SECONDS = 60.0

Progress = Callable[[int, int], None]
"""Told how much was read, and how much will be."""


class _Span(NamedTuple):
    """Records of a partition, from an offset up to another one."""

    partition: TopicPartition
    start: int
    end: int


def read_topic(
    settings: Settings, times: Sequence[datetime], *, sample: int, on_progress: Progress
) -> Verdicts:
    """Verdicts that were written between the first and the last of the rising ``times``.

    Of each partition and each window between two times at most ``sample`` are read.

    Raises:
        TopicsError: the topic of verdicts is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or the reading of the topic.
    """
    topic = settings.topic(settings.verdicts_topic)
    check_topic(settings, settings.verdicts_topic, "READ")
    options = kafka_python_options(settings, KafkaConsumer) | {
        "group_id": None,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
    }
    verdicts = Verdicts()
    try:
        with closing(KafkaConsumer(**options)) as consumer:
            numbers = consumer.partitions_for_topic(topic)
            partitions = [TopicPartition(topic, number) for number in sorted(numbers or ())]
            spans = list(_spans(consumer, partitions, times, sample))
            total, done = sum(span.end - span.start for span in spans), 0
            for span in spans:
                for records, read in _records(consumer, span):
                    verdicts.add(records)
                    on_progress(done + read, total)
                done += span.end - span.start
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error
    return verdicts


def read_files(paths: Sequence[Path], *, on_progress: Progress) -> Verdicts:
    """All verdicts of files that have one a line, as the topic has them; ``.gz`` is unpacked.

    Raises:
        StreamDetectorError: a file can't be read.
    """
    verdicts = Verdicts()
    for path in paths:
        try:
            done, size = 0, path.stat().st_size
            with path.open("rb") as raw, _unpacked(path, raw) as lines:
                filled = (line for line in lines if not line.isspace())
                while batch := list(itertools.islice(filled, _BATCH_RECORDS)):
                    verdicts.add(batch)
                    done = raw.tell()
                    on_progress(done, size)
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StreamDetectorError(f"{path} can't be read: {reason}") from error
    return verdicts


def _unpacked(path: Path, raw: BinaryIO) -> AbstractContextManager[Iterable[bytes]]:
    return gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw)


def _spans(
    consumer: Any, partitions: Sequence[TopicPartition], times: Sequence[datetime], sample: int
) -> Iterator[_Span]:
    """What to read of each partition, in order of offset."""
    ends = consumer.end_offsets(partitions)
    bounds = []
    for moment in times:
        milliseconds = int(moment.timestamp() * 1000)
        found = consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        bounds.append(
            {
                partition: ends[partition] if found[partition] is None else found[partition].offset
                for partition in partitions
            }
        )
    for partition in partitions:
        for first, last in itertools.pairwise(bounds):
            yield from _blocks(partition, first[partition], last[partition], sample)


def _blocks(partition: TopicPartition, start: int, end: int, sample: int) -> Iterator[_Span]:
    if end - start <= sample:
        if end > start:
            yield _Span(partition, start, end)
        return
    blocks = min(_BLOCKS, sample)
    for block in range(blocks):
        first = start + (end - start) * block // blocks
        size = sample * (block + 1) // blocks - sample * block // blocks
        yield _Span(partition, first, first + size)


def _records(consumer: Any, span: _Span) -> Iterator[tuple[list[bytes | None], int]]:
    """The values of a span batch by batch, each with how far it reaches."""
    consumer.assign([span.partition])
    consumer.seek(span.partition, span.start)
    heard = time.monotonic()
    position = span.start
    while position < span.end:
        found = consumer.poll(timeout_ms=_POLL_MS, max_records=_BATCH_RECORDS)
        records = found.get(span.partition, [])
        # Offsets without a record (of a transaction's end, or expired meanwhile) are passed over.
        reached = consumer.position(span.partition, timeout_ms=_POLL_MS) or position
        if reached > position:
            heard, position = time.monotonic(), reached
            values = [record.value for record in records if record.offset < span.end]
            yield values, min(position, span.end) - span.start
        elif time.monotonic() - heard > _QUIET_SECONDS:
            raise RetryableError(
                f"Kafka gave nothing for {_QUIET_SECONDS:.0f} s from partition "
                f"{span.partition.partition} of {span.partition.topic}, where there is more: check "
                "its brokers"
            )
