"""Reads verdicts from Kafka, without a group, or from files: of each window a sample."""

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from stream_detector.errors import StreamDetectorError
from stream_detector.kafka.bounded_reading import Span, reading, records_of, spans_between
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Stage
from trainer.drift.verdicts import Verdicts

_BATCH_LINES = 5_000
_BLOCKS = 16
"""Of a partition with more than the sample, so many stretches are read, evenly spread: each in one
go, which is fast, and together from all hours of the window."""


def read_topic(
    settings: Settings, times: Sequence[datetime], *, sample: int, stage: Stage
) -> Verdicts:
    """Verdicts that were written between the first and the last of the rising ``times``.

    Of each partition and each window between two times at most ``sample`` are read.

    Raises:
        TopicsError: the topic of verdicts is missing or may not be read.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more.
        FatalError: it refuses the credentials or the reading of the topic.
    """
    verdicts = Verdicts()
    with reading(settings, settings.verdicts_topic) as consumer:
        found = spans_between(consumer, settings.verdicts_topic_name, times)
        spans = [block for span in found for block in _blocks(span, sample)]
        total, done = sum(span.end - span.start for span in spans), 0
        for span in spans:
            for records, read in records_of(consumer, span):
                verdicts.add(record.value for record in records)
                stage.update(done + read, total=total)
            done += span.end - span.start
    return verdicts


def read_files(paths: Sequence[Path], *, stage: Stage) -> Verdicts:
    """All verdicts of files that have one a line, as the topic has them; ``.gz`` is unpacked.

    Raises:
        StreamDetectorError: a file can't be read.
    """
    verdicts = Verdicts()
    for path in paths:
        try:
            size = path.stat().st_size
            with path.open("rb") as raw:
                lines: Iterable[bytes] = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
                filled = (line for line in lines if not line.isspace())
                while batch := list(itertools.islice(filled, _BATCH_LINES)):
                    verdicts.add(batch)
                    stage.update(raw.tell(), total=size)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StreamDetectorError(f"{path} can't be read: {reason}") from error
    return verdicts


def _blocks(span: Span, sample: int) -> Iterator[Span]:
    """All of a span, or ``sample`` records spread over it."""
    partition, start, end = span
    if end - start <= sample:
        yield span
        return
    blocks = min(_BLOCKS, sample)
    for block in range(blocks):
        first = start + (end - start) * block // blocks
        size = sample * (block + 1) // blocks - sample * block // blocks
        yield Span(partition, first, first + size)
