"""Writes the originals of dead letters to their input topics again.

- A replay reads the topic up to its end at the start: a record that becomes a dead letter again
  does not come round. Its header ``replay-of`` names the letter it was replayed from, so a later
  replay leaves out that letter, and also the new one unless asked for it.
- Key and value come from the letter. If something in them is withheld or cut, the record is read
  from the input topic once more, with its headers.
- The record gets the time of the replay; its own goes into the header ``source-timestamp``. With
  its old time Kafka might delete it before a worker reads it, and it would count as late.
- A letter does not show whether it was replayed before and became verdicts: a second replay gives
  second verdicts.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from kafka.errors import MessageSizeTooLargeError

from stream_detector.errors import MissingRecordError, StreamDetectorError, TopicsError
from stream_detector.events import SourcePosition
from stream_detector.kafka.bounded_reading import RecordLookup, reading, record_lookup
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.dead_letter_topic import OnProgress, letter_spans, letters_of
from stream_detector.kafka.topics import topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.wire.dead_letters import LetterFilter, StoredLetter
from stream_detector.wire.outcomes import REPLAY_OF, Headers

_CONFIRM_RECORDS = 500
_CONFIRM_BYTES = 16 * 1024 * 1024
"""Sent before the replay waits for Kafka's answers."""
_RECORD_BYTES_MAX = 256 * 1024 * 1024
"""The topic decides which record is too large, not this client."""
_SOURCE_TIMESTAMP = "source-timestamp"


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
            spans = letter_spans(consumer, settings, since)
            # Twice: the letter of a record that failed again stands behind the one replayed.
            before = letters_of(
                consumer, spans, on_progress=lambda done, total: on_progress(done, 2 * total)
            )
            replayed_before = {letter.replay_of for letter in before if letter.replay_of}
            letters = letters_of(
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
    topic = settings.dead_letters_topic_name
    return f"{topic}:{letter.partition}:{letter.offset}"


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
        key, value, headers = _original(letter, source, lookup)
    headers = [each for each in headers if each[0] not in {REPLAY_OF, _SOURCE_TIMESTAMP}]
    headers.append((REPLAY_OF, _place(settings, letter).encode()))
    if letter.source_timestamp is not None:
        headers.append((_SOURCE_TIMESTAMP, b"%d" % letter.source_timestamp))
    writer.write(letter, source, key, value, headers)


def _original(
    letter: StoredLetter, source: SourcePosition, lookup: RecordLookup
) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Key, value and headers of the record that became ``letter``, from the input topic."""
    found = lookup.record(source.topic, source.partition, source.offset)
    if letter.source_timestamp is not None and found.timestamp != letter.source_timestamp:
        raise MissingRecordError(
            f"record {source.offset} in partition {source.partition} of {source.topic} is another "
            "one by its time: the topic was deleted and created again"
        )
    return found.key, found.value, [(name, value or b"") for name, value in found.headers]


class _Writing(NamedTuple):
    """A record, its place, and the letter that it is the original of."""

    letter: StoredLetter
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers


class _Writer:
    """Writes records, and enters Kafka's answers into ``outcome``."""

    def __init__(self, producer: Any, outcome: Outcome) -> None:
        self._producer = producer
        self._outcome = outcome
        self._sent: list[tuple[_Writing, Any]] = []
        self._bytes = 0

    def write(
        self,
        letter: StoredLetter,
        source: SourcePosition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> None:
        """Write a record to its own partition, while the topic has that."""
        partitions = self._producer.partitions_for(source.topic)
        partition = source.partition if source.partition in partitions else None
        writing = _Writing(letter, source.topic, partition, key, value, headers)
        self._sent.append((writing, self._send(writing)))
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
        _, topic, partition, key, value, headers = writing
        return self._producer.send(
            topic, key=key, value=value, headers=headers, partition=partition
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
        max_in_flight_requests_per_connection=1,
    ) as producer:
        writer = _Writer(producer, outcome)
        yield writer
        writer.confirm()
