"""Reads labels from their topics into a label store.

The order matters: a batch's rows are on disk, and its dead letters in Kafka, before its offsets are
committed. A killed process reads the batch again; the store knows its rows and stores none twice.
Dead letters may come twice: their headers name the record.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from stream_detector.events import Rejected
from stream_detector.kafka.label_reading import LabelReader, label_reader
from stream_detector.settings.fields import Settings
from stream_detector.wire.labels import read_label
from trainer.labels.store import LabelStore, StoredLabel
from trainer.labels.unreadable import dead_letter_of, too_large
from trainer.labels.voices import Voices

_BATCH_RECORDS = 20_000
_BATCH_BYTES = 16 * 1024 * 1024
"""A batch of this size is stored: each one rewrites the day's file, and is in memory as a whole."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Collected(NamedTuple):
    """The records of a batch, or of a whole run, by what became of them."""

    records: int
    stored: int
    """Labels that the store did not have yet."""
    dead_letters: int

    def __str__(self) -> str:
        # The store had the others already: from a killed run, or because they were read again.
        known = self.records - self.stored - self.dead_letters
        return (
            f"{self.records:,} records read: {self.stored:,} labels stored, {known:,} were "
            f"there, {self.dead_letters:,} dead letters"
        )


def collect_labels(
    settings: Settings,
    store: LabelStore,
    *,
    follow: bool,
    interval: float,
    from_beginning: bool,
    stopped: Callable[[], bool],
    tell: Callable[[str], None],
    on_batch: Callable[[Collected], None] = lambda _: None,
) -> Collected:
    """Read labels into ``store``, from the committed offsets of the group.

    An empty store is filled from the topic's beginning, whatever the group has committed.

    Args:
        settings: the way to Kafka, the topics, and the group (``labels_group_id``).
        store: is locked while this runs.
        follow: go on until ``stopped``; otherwise up to the end that the topic has at the start.
        interval: with ``follow``, the seconds that the first label of a batch waits for more.
        from_beginning: read everything that the topic still holds.
        stopped: called about twice a second; after a yes the batch is stored and committed.
        tell: gets a line for each batch, except the last one without ``follow``.
        on_batch: gets the counts of each committed batch.

    Raises:
        LabelStoreError: the store can't be used, or another process writes to it.
        TopicsError: a topic is missing or may not be used.
        RetryableError: Kafka can't be reached, or sends nothing for a minute though there is more;
            with ``follow`` also when it goes away, after some 25 s.
        FatalError: Kafka refuses the credentials or a request, or another collector has taken the
            group over.
    """
    with store.writing():
        rewind = from_beginning or store.is_empty()
        with label_reader(settings, follows=follow, from_beginning=rewind) as reader:
            collector = _Collector(Voices(settings), store, reader, tell, on_batch, follow)
            collector.run(interval=interval, stopped=stopped)
            return collector.collected


@dataclass
class _Collector:
    """One run, and the batch that it has not stored yet."""

    voices: Voices
    store: LabelStore
    reader: LabelReader
    tell: Callable[[str], None]
    on_batch: Callable[[Collected], None]
    follow: bool
    batch: list[Any] = field(default_factory=list)
    collected: Collected = field(default_factory=lambda: Collected(0, 0, 0))

    def run(self, *, interval: float, stopped: Callable[[], bool]) -> None:
        """Read, and store batch after batch, until the end or until ``stopped``."""
        began = time.monotonic()
        size = 0
        while True:
            records = self.reader.poll()
            if records and not self.batch:
                began, size = time.monotonic(), 0
            self.batch += records
            size += sum(len(each.key or b"") + len(each.value or b"") for each in records)
            done = stopped() or (not self.follow and self.reader.is_at_end())
            full = len(self.batch) >= _BATCH_RECORDS or size >= _BATCH_BYTES
            waited = self.follow and time.monotonic() - began >= interval
            if self.batch and (done or full or waited):
                self._keep()
            if done:
                return
            self.reader.check_heard(has_unstored=bool(self.batch))

    def _keep(self) -> None:
        """Write the batch to disk and to Kafka, then commit its offsets."""
        batch, self.batch = self.batch, []
        self.reader.commit_beginnings()
        read = [(record, _read(record, self.voices)) for record in batch]
        stored = self.store.add(each for _, each in read if isinstance(each, StoredLabel))
        letters = [
            dead_letter_of(record, each) for record, each in read if isinstance(each, Rejected)
        ]
        self.reader.send_dead_letters(letters)
        for line in self.voices.refusals():
            self.tell(line)
        if not self.reader.commit(batch):
            self.tell("the group was rebalanced before a commit: its labels are read again")
        done = Collected(len(batch), stored, len(letters))
        self.collected = Collected(*map(sum, zip(self.collected, done, strict=True)))
        if self.follow or len(batch) >= _BATCH_RECORDS:
            self.tell(str(done))
        self.on_batch(done)


def _read(record: Any, voices: Voices) -> StoredLabel | Rejected:
    if (fault := too_large(record)) is not None:
        return fault
    now = datetime.now(UTC)
    written_at = _EPOCH
    # The writer chooses the timestamp: it may be no time at all, or lie in the future.
    with contextlib.suppress(OverflowError):
        written_at += timedelta(milliseconds=max(0, record.timestamp or 0))
    known = min(written_at, now) if written_at > _EPOCH else now
    label = read_label(record.value, written_at=known)
    if isinstance(label, Rejected):
        return label
    proved = voices.proved(record, label)
    if isinstance(proved, Rejected):
        return proved
    return StoredLabel(label, record.topic, record.partition, record.offset, written_at, proved)
