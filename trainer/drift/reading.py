"""Verdicts from Kafka, without a group, or from files: of each window as much as is asked for."""

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from stream_detector.errors import StreamDetectorError
from stream_detector.kafka.bounded_reading import Span, reading, records_of, spans_between
from stream_detector.settings.fields import Settings
from trainer.drift.verdicts import Verdicts

_BATCH_LINES = 5_000
_BLOCKS = 16
"""Where a partition has more than is asked for, so many stretches of it are read, evenly spread:
each is read in one go, and all hours of the window are among them."""

Progress = Callable[[int, int], None]
"""Told how much was read, and how much will be."""


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
    verdicts = Verdicts()
    with reading(settings, settings.verdicts_topic) as consumer:
        found = spans_between(consumer, settings.verdicts_topic_name, times)
        spans = [block for span in found for block in _blocks(span, sample)]
        total, done = sum(span.end - span.start for span in spans), 0
        for span in spans:
            for records, read in records_of(consumer, span):
                verdicts.add(record.value for record in records)
                on_progress(done + read, total)
            done += span.end - span.start
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
                while batch := list(itertools.islice(filled, _BATCH_LINES)):
                    verdicts.add(batch)
                    done = raw.tell()
                    on_progress(done, size)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StreamDetectorError(f"{path} can't be read: {reason}") from error
    return verdicts


def _unpacked(path: Path, raw: BinaryIO) -> AbstractContextManager[Iterable[bytes]]:
    return gzip.open(raw) if path.suffix == ".gz" else nullcontext(raw)


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
