"""The topic of dead letters, read without a group."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from stream_detector.kafka.bounded_reading import Span, reading, records_of, spans_between
from stream_detector.settings.fields import Settings
from stream_detector.wire.dead_letters import LetterFilter, StoredLetter, read_letter

OnProgress = Callable[[int, int], object]
"""Gets the number of offsets read so far, and of all to be read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK_OFFSETS = 2_000
"""Read at a time, backwards from the end of a partition, in search of the newest."""


def letters_since(
    settings: Settings, since: datetime | None, *, on_progress: OnProgress
) -> Iterator[StoredLetter]:
    """The dead letters from ``since`` (None: from the first) to the current end of the topic.

    Partition by partition, each in order of offset. Raises as ``reading``.
    """
    with reading(settings, settings.dead_letters_topic) as consumer:
        spans = letter_spans(consumer, settings, since)
        yield from letters_of(consumer, spans, on_progress=on_progress)


def newest_letters(
    settings: Settings,
    since: datetime | None,
    *,
    chosen: LetterFilter,
    limit: int,
    on_progress: OnProgress,
) -> list[StoredLetter]:
    """The ``limit`` newest ``chosen`` dead letters not older than ``since``, the newest first.

    Each partition is read backwards only as far as needed. Raises as ``reading``.
    """
    found: list[StoredLetter] = []
    with reading(settings, settings.dead_letters_topic) as consumer:
        spans = letter_spans(consumer, settings, since)
        total, done = sum(span.end - span.start for span in spans), 0
        for span in spans:
            missing = limit
            for block in _blocks_backwards(span):
                # No more than ``limit``: each may be as large as Kafka's largest record.
                newest: deque[StoredLetter] = deque(maxlen=missing)
                for records, _ in records_of(consumer, block):
                    newest.extend(filter(chosen.admits, map(read_letter, records)))
                on_progress(done + span.end - block.start, total)
                found += newest
                missing -= len(newest)
                if not missing:
                    break
            found = heapq.nlargest(limit, found, key=attrgetter("time", "partition", "offset"))
            done += span.end - span.start
    return found


def letter_spans(consumer: Any, settings: Settings, since: datetime | None) -> list[Span]:
    """The stretch of each partition from ``since`` to its current end."""
    topic = settings.dead_letters_topic_name
    return list(spans_between(consumer, topic, [since or _EPOCH, None]))


def letters_of(
    consumer: Any, spans: list[Span], *, on_progress: OnProgress
) -> Iterator[StoredLetter]:
    """The dead letters of ``spans``, in their order."""
    total, done = sum(span.end - span.start for span in spans), 0
    for span in spans:
        for records, read in records_of(consumer, span):
            yield from map(read_letter, records)
            on_progress(done + read, total)
        done += span.end - span.start


def _blocks_backwards(span: Span) -> Iterator[Span]:
    """A span in stretches, the last first."""
    end = span.end
    while end > span.start:
        start = max(span.start, end - _BLOCK_OFFSETS)
        yield Span(span.partition, start, end)
        end = start
