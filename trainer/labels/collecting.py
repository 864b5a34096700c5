"""From the topics of labels into a label store.

The order matters: a batch's rows are on disk, and its dead letters in Kafka, before its offsets are
committed. A killed process reads the batch again; the store knows its rows, so none is there twice.
Dead letters may come twice: their headers name the record.
"""

import time
from collections.abc import Callable
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
    """What a run did."""

    records: int
    stored: int
    """Labels that the store did not have yet."""
    dead_letters: int

    @property
    def known(self) -> int:
        """Labels that the store had already, from a run that was killed or by reading again."""
        return self.records - self.stored - self.dead_letters

    def __str__(self) -> str:
        return (
            f"{self.records:,} records read: {self.stored:,} labels stored, {self.known:,} were "
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
    """Read labels from where the group stands, into ``store``.

    A store without labels is filled from the topic's beginning, wherever the group stands.

    Args:
        settings: say where Kafka is, the topics, and the group (``labels_group_id``).
        store: is locked while this runs.
        follow: go on until ``stopped``; otherwise up to the end that the topic has at the start.
        interval: seconds that the first label of a batch waits for more, where it follows.
        from_beginning: read all that the topic still holds.
        stopped: asked about twice a second; after a yes what was read is stored and committed.
        tell: gets a line for each batch, except the last one where it does not follow.
        on_batch: is given what each batch came to, when it is committed.

    Raises:
        LabelStoreError: the store can't be used, or is being written by another process.
        TopicsError: a topic is missing or may not be used.
        RetryableError: Kafka can't be reached, or gives nothing for a minute though there is more;
            where it follows, also one that is gone, after some 25 s.
        FatalError: Kafka refuses the credentials or a request, or another collector has taken the
            group over.
    """
    with store.writing():
        rewind = from_beginning or store.is_empty()
        with label_reader(settings, follows=follow, from_beginning=rewind) as reader:
            collector = _Collector(Voices(settings), store, reader, tell, on_batch, follow)
            collector.run(interval=interval, stopped=stopped)
            return collector.collected


class _Collector:
    """What was read and is not stored yet."""

    def __init__(
        self,
        voices: Voices,
        store: LabelStore,
        reader: LabelReader,
        tell: Callable[[str], None],
        on_batch: Callable[[Collected], None],
        follow: bool,
    ) -> None:
        self._voices = voices
        self._store = store
        self._reader = reader
        self._tell = tell
        self._on_batch = on_batch
        self._follow = follow
        self._batch: list[Any] = []
        self._batch_bytes = 0
        self.collected = Collected(0, 0, 0)

    def run(self, *, interval: float, stopped: Callable[[], bool]) -> None:
        """Read, and store batch after batch, until the end or until ``stopped``."""
        began = time.monotonic()
        while True:
            records = self._reader.poll()
            if records and not self._batch:
                began = time.monotonic()
            self._batch += records
            self._batch_bytes += sum(map(_bytes_of, records))
            done = stopped() or (not self._follow and self._reader.is_at_end())
            full = len(self._batch) >= _BATCH_RECORDS or self._batch_bytes >= _BATCH_BYTES
            waited = self._follow and time.monotonic() - began >= interval
            if self._batch and (done or full or waited):
                self._keep()
            if done:
                return
            self._reader.check_heard(has_unstored=bool(self._batch))

    def _keep(self) -> None:
        """The batch onto disk and into Kafka, then its offsets."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._reader.commit_beginnings()
        read = [(record, _read(record, self._voices)) for record in batch]
        labels = [result for _, result in read if isinstance(result, StoredLabel)]
        letters = [
            dead_letter_of(record, result)
            for record, result in read
            if isinstance(result, Rejected)
        ]
        stored = self._store.add(labels)
        self._reader.send_dead_letters(letters)
        for line in self._voices.refusals():
            self._tell(line)
        if not self._reader.commit(batch):
            self._tell("the group was rebalanced before a commit: its labels are read again")
        done = Collected(len(batch), stored, len(letters))
        self.collected = Collected(*map(sum, zip(self.collected, done, strict=True)))
        if self._follow or len(batch) >= _BATCH_RECORDS:
            self._tell(str(done))
        self._on_batch(done)


def _bytes_of(record: Any) -> int:
    return len(record.key or b"") + len(record.value or b"")


def _read(record: Any, voices: Voices) -> StoredLabel | Rejected:
    if (fault := too_large(record)) is not None:
        return fault
    written_at = _written_at(record.timestamp)
    # The writer says when it wrote; no label that is read now was written later.
    now = datetime.now(UTC)
    known = min(written_at, now) if written_at > _EPOCH else now
    label = read_label(record.value, written_at=known)
    if isinstance(label, Rejected):
        return label
    proved = voices.proved(record, label)
    if isinstance(proved, Rejected):
        return proved
    return StoredLabel(label, record.topic, record.partition, record.offset, written_at, proved)


def _written_at(milliseconds: int | None) -> datetime:
    """The time of a record; the epoch where it has none that is a time."""
    try:
        return _EPOCH + timedelta(milliseconds=max(0, milliseconds or 0))
    except OverflowError:
        return _EPOCH
