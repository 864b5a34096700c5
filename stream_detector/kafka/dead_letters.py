"""The topic of dead letters: read without a group, and replayed into the input topics.

- A replay reads the topic up to its end at the start: it does not read what it makes fail again.
  The header ``replay-of`` of a record names the letter it was replayed from. So a later replay
  leaves out that letter, and also the new one unless asked for it.
- Key and value come from the letter. If something in them is withheld or cut, the record is read
  from the input topic once more, with its headers.
- The record gets the time of the replay; its own goes into the header ``source-timestamp``. With
  its old time Kafka might delete it before a worker reads it, and it would count as late.
- A letter does not show whether it was replayed before and became verdicts: a second replay gives
  second verdicts.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from kafka.errors import MessageSizeTooLargeError

from stream_detector.errors import MissingRecordError, StreamDetectorError, TopicsError
from stream_detector.kafka.bounded_reading import (
    RecordLookup,
    Span,
    reading,
    record_lookup,
    records_of,
    spans_between,
)
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.topics import topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.wire.dead_letters import LetterFilter, StoredLetter, read_letter
from stream_detector.wire.outcomes import REPLAY_OF, Message

OnProgress = Callable[[int, int], object]
"""Gets the number of offsets read so far, and of all to be read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLOCK_OFFSETS = 2_000
"""Read at a time, backwards from the end of a partition, in search of the newest."""
_CONFIRM_RECORDS = 500
_CONFIRM_BYTES = 16 * 1024 * 1024
"""Sent before the replay waits for Kafka's answers."""
_RECORD_BYTES_MAX = 256 * 1024 * 1024
"""The topic decides which record is too large, not this client."""
_SOURCE_TIMESTAMP = "source-timestamp"


# --- read -----------------------------------------------------------------------------------


def letters_since(
    settings: Settings, since: datetime | None, *, on_progress: OnProgress
) -> Iterator[StoredLetter]:
    """The dead letters from ``since`` (None: from the first) to the current end of the topic.

    Partition by partition, each in order of offset. Raises as ``reading``.
    """
    with reading(settings, settings.dead_letters_topic) as consumer:
        spans = _spans(consumer, settings, since)
        yield from _letters_of(consumer, spans, on_progress=on_progress)


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
        spans = _spans(consumer, settings, since)
        total, done = sum(span.end - span.start for span in spans), 0
        for span in spans:
            missing = limit
            for end in range(span.end, span.start, -_BLOCK_OFFSETS):
                block = Span(span.partition, max(span.start, end - _BLOCK_OFFSETS), end)
                # Never more than ``limit``: each may be as large as Kafka's largest record.
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


def _spans(consumer: Any, settings: Settings, since: datetime | None) -> list[Span]:
    """The records of each partition from ``since`` to its current end."""
    topic = settings.dead_letters_topic_name
    return list(spans_between(consumer, topic, [since or _EPOCH, None]))


def _letters_of(
    consumer: Any, spans: list[Span], *, on_progress: OnProgress
) -> Iterator[StoredLetter]:
    """The dead letters of ``spans``, in their order."""
    total, done = sum(span.end - span.start for span in spans), 0
    for span in spans:
        for records, read in records_of(consumer, span):
            yield from map(read_letter, records)
            on_progress(done + read, total)
        done += span.end - span.start


# --- replayed -------------------------------------------------------------------------------


class LeftOut(StrEnum):
    """Why a dead letter needs no replay; the text is for a person."""

    REPLAYED_BEFORE = "were replayed before, and failed again as another dead letter"
    FAILED_AGAIN = "failed again after a replay (--again takes them too)"
    TWICE = "are of a record that another dead letter is of (a worker had to start again)"
    NOTHING = "have neither key nor value"


class NotReplayable(NamedTuple):
    """A dead letter whose original can't be written again."""

    letter: StoredLetter
    why: str


class Outcome:
    """The result of a replay, or of a dry run."""

    def __init__(self) -> None:
        self.replayed: Counter[tuple[str, str]] = Counter()
        """By source topic and reason."""
        self.left_out: Counter[LeftOut] = Counter()
        self.not_replayable: list[NotReplayable] = []


def replay_dead_letters(
    settings: Settings,
    since: datetime,
    *,
    chosen: LetterFilter,
    again: bool,
    limit: int | None,
    dry_run: bool,
    on_progress: OnProgress,
) -> Outcome:
    """Replay the ``chosen`` dead letters since ``since``; returns when all replicas have them.

    Args:
        settings: name the topics; letters of other topics than ``input_topics`` can't be replayed.
        since: when the oldest of them became a dead letter.
        chosen: which of them.
        again: also those that failed again after a replay.
        limit: at most so many; None for all.
        dry_run: write nothing, and read no original.
        on_progress: gets the offsets read and those to read; the topic is read twice.

    Raises:
        TopicsError: a topic is missing or may not be used.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a record.
    """
    if problems := topic_problems(settings, "dead-letter-replayer"):
        raise TopicsError("; ".join(problems))
    outcome = Outcome()
    try:
        with ExitStack() as stack:
            consumer = stack.enter_context(reading(settings, settings.dead_letters_topic))
            writer = None if dry_run else stack.enter_context(_writing(settings, outcome))
            lookup = stack.enter_context(record_lookup(settings))
            spans = _spans(consumer, settings, since)
            # Twice: the letter of a record that failed again stands behind the one replayed.
            before = _letters_of(
                consumer, spans, on_progress=lambda done, total: on_progress(done, 2 * total)
            )
            replayed_before = {letter.replay_of for letter in before if letter.replay_of}
            letters = _letters_of(
                consumer,
                spans,
                on_progress=lambda done, total: on_progress(total + done, 2 * total),
            )
            needless = _Needless(settings, again=again, replayed_before=replayed_before)
            for letter in filter(chosen.admits, letters):
                if limit is not None and needless.taken >= limit:
                    break
                reason = needless.reason(letter)
                if reason is not None:
                    outcome.left_out[reason] += 1
                    continue
                try:
                    _replay(settings, letter, lookup, writer, outcome)
                except MissingRecordError as error:
                    outcome.not_replayable.append(NotReplayable(letter, str(error)))
    except StreamDetectorError as error:
        if dry_run or not outcome.replayed:
            raise
        count = outcome.replayed.total()
        raise type(error)(f"{count:,} or more were replayed before this: {error}") from error
    return outcome


class _Needless:
    """Knows which dead letters need no replay, and takes each record once."""

    def __init__(self, settings: Settings, *, again: bool, replayed_before: set[str]) -> None:
        self._settings = settings
        self._again = again
        self._replayed_before = replayed_before
        self._records: set[tuple[str, int, int]] = set()
        self.taken = 0

    def reason(self, letter: StoredLetter) -> LeftOut | None:
        """Why ``letter`` needs no replay; None if it does, and then its record is taken."""
        if _place(self._settings, letter) in self._replayed_before:
            return LeftOut.REPLAYED_BEFORE
        if letter.replay_of and not self._again:
            return LeftOut.FAILED_AGAIN
        if letter.is_as_read and letter.key is None and letter.value is None:
            return LeftOut.NOTHING
        if letter.source is not None:
            record = letter.source.topic, letter.source.partition, letter.source.offset
            if record in self._records:
                return LeftOut.TWICE
            self._records.add(record)
        self.taken += 1
        return None


def _place(settings: Settings, letter: StoredLetter) -> str:
    """The place of a dead letter, as ``replay-of`` names it."""
    return f"{settings.dead_letters_topic_name}:{letter.partition}:{letter.offset}"


def _replay(
    settings: Settings,
    letter: StoredLetter,
    lookup: RecordLookup,
    writer: "_Writer | None",
    outcome: Outcome,
) -> None:
    """Write the original of a letter; without a writer only check that it exists.

    Raises:
        MissingRecordError: it does not.
    """
    source = letter.source
    if source is None:
        raise MissingRecordError("its headers do not say where it came from")
    if source.topic not in settings.input_topic_names:
        raise MissingRecordError(f"its topic {source.topic} is not among input_topics")
    if writer is None:
        if not letter.is_as_read:
            lookup.check(source.topic, source.partition, source.offset)
        outcome.replayed[source.topic, letter.reason] += 1
        return
    key, value, headers = letter.key, letter.value, list[tuple[str, bytes]]()
    if not letter.is_as_read:
        found = lookup.record(source.topic, source.partition, source.offset)
        if letter.source_timestamp is not None and found.timestamp != letter.source_timestamp:
            raise MissingRecordError(
                f"record {source.offset} in partition {source.partition} of {source.topic} is "
                "another one by its time: the topic was deleted and created again"
            )
        key, value = found.key, found.value
        headers = [
            (name, content or b"")
            for name, content in found.headers
            if name not in {REPLAY_OF, _SOURCE_TIMESTAMP}
        ]
    headers.append((REPLAY_OF, _place(settings, letter).encode()))
    if letter.source_timestamp is not None:
        headers.append((_SOURCE_TIMESTAMP, b"%d" % letter.source_timestamp))
    writer.write(letter, source.topic, source.partition, (key, value, headers))


class _Writing(NamedTuple):
    """A record, its place, and the letter that it is the original of."""

    letter: StoredLetter
    topic: str
    partition: int | None
    message: Message


class _Writer:
    """Writes records, and enters Kafka's answers into ``outcome``."""

    def __init__(self, producer: Any, outcome: Outcome) -> None:
        self._producer = producer
        self._outcome = outcome
        self._sent: list[tuple[_Writing, Any]] = []
        self._bytes = 0

    def write(self, letter: StoredLetter, topic: str, partition: int, message: Message) -> None:
        """Write a record to its own partition, or to any if the topic has no such partition."""
        exists = partition in self._producer.partitions_for(topic)
        writing = _Writing(letter, topic, partition if exists else None, message)
        self._sent.append((writing, self._send(writing)))
        key, value, _ = message
        self._bytes += len(key or b"") + len(value or b"")
        if len(self._sent) >= _CONFIRM_RECORDS or self._bytes >= _CONFIRM_BYTES:
            self.confirm()

    def confirm(self) -> None:
        """Wait until everything written is in Kafka."""
        too_large = [writing for writing, sent in self._sent if not self._confirmed(writing, sent)]
        for writing in too_large:
            # Kafka refuses a whole batch for one record: now each comes in a batch of its own.
            if not self._confirmed(writing, self._send(writing)):
                why = f"its record is larger than {writing.topic} takes"
                self._outcome.not_replayable.append(NotReplayable(writing.letter, why))
        self._sent, self._bytes = [], 0

    def _send(self, writing: _Writing) -> Any:
        key, value, headers = writing.message
        return self._producer.send(
            writing.topic, key=key, value=value, headers=headers, partition=writing.partition
        )

    def _confirmed(self, writing: _Writing, sent: Any) -> bool:
        """Whether Kafka has the record; False if it finds it too large."""
        try:
            confirmed([sent])
        except MessageSizeTooLargeError:
            return False
        self._outcome.replayed[writing.topic, writing.letter.reason] += 1
        return True


@contextmanager
def _writing(settings: Settings, outcome: Outcome) -> Iterator[_Writer]:
    """A writer for the block, at whose end all records are in Kafka."""
    with confirming_producer(
        settings,
        "dead-letter-replayer",
        linger_ms=5,
        max_request_size=_RECORD_BYTES_MAX,
        # After one record that is too large, kafka-python's idempotent producer refuses all.
        enable_idempotence=False,
        # Without idempotence, a retry among several requests would change the order of records.
        max_in_flight_requests_per_connection=1,
    ) as producer:
        writer = _Writer(producer, outcome)
        yield writer
        writer.confirm()
