"""From the topics of labels into a label store, by kafka-python as a consumer group.

Order of doing: a batch's rows are on disk, and its dead letters in Kafka, before its offsets are
committed. A process that is killed in between reads the batch again; the store knows its rows,
so none is there twice. Dead letters may come twice: their headers name the record.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from stream_detector.errors import FatalError, RetryableError, TopicsError
from stream_detector.events import Rejected
from stream_detector.kafka.admin import as_ours, reached
from stream_detector.kafka.bounded_reading import POLL_MS, QUIET_SECONDS
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.confirmed import confirmed
from stream_detector.kafka.rights import rights_of
from stream_detector.kafka.topics import topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.wire.labels import read_label
from stream_detector.wire.outcomes import Message
from trainer.labels.bounded_batches import bound_batches
from trainer.labels.store import LabelStore, StoredLabel
from trainer.labels.unreadable import dead_letter_of, too_large
from trainer.labels.voices import Voices

__all__ = ["Collected", "collect_labels"]

_BATCH_RECORDS = 20_000
_BATCH_BYTES = 16 * 1024 * 1024
"""At which a batch is stored: each rewrites the day's file, and all of it is in memory."""
_POLL_RECORDS = 64
"""Records that come at once: each may have ``RECORD_BYTES_MAX``."""
_FETCH_BYTES = 8 * 1024 * 1024
"""What a broker sends at once, compressed; by default kafka-python asks for 50 MiB."""
_SILENT_SECONDS = 5.0
"""After which one that follows asks whether Kafka is there and whether the group is still its own:
a poll says nothing of either, and a heartbeat that is told stops without a word."""
_ANSWER_MS = 5_000
_GONE_SECONDS = 20.0
"""After which it gives up: a cluster takes some 10 s to replace a broker that died."""
_MEMBER = "label-collector"
"""A name that stays over a restart (static membership): the collector that comes after a killed one
takes its place at once, without the 45 s in which Kafka would wait for the dead to come back."""

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
        tell: gets a line for each batch, but for the last one where it does not follow.
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
        if problems := topic_problems(settings, "label-collector"):
            raise TopicsError("; ".join(problems))
        rewind = from_beginning or store.is_empty()
        try:
            with _Collector(settings, store, rewind, tell, on_batch) as collector:
                collector.run(follow=follow, interval=interval, stopped=stopped)
                return collector.collected
        except FencedInstanceIdError as error:
            raise FatalError(
                f"another collector has taken over the group {settings.labels_group_id}: give each "
                "store a labels_group_id of its own"
            ) from error
        except (KafkaError, OSError) as error:
            rights = rights_of("label-collector", settings)
            raise as_ours(error, settings, rights=rights) from error


class _Rewinding(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Sends each partition to its beginning when it is assigned for the first time."""

    def __init__(self) -> None:
        self.consumer: Any = None
        self._rewound: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Read from the first record that the topic holds."""
        new = set(assigned) - self._rewound
        if new:
            self._rewound |= new
            self.consumer.seek_to_beginning(*new)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing: what was read of them is stored, and read again by whoever has them next."""


class _Collector:
    """One consumer, and what it has read and not yet stored."""

    def __init__(
        self,
        settings: Settings,
        store: LabelStore,
        rewind: bool,
        tell: Callable[[str], None],
        on_batch: Callable[[Collected], None],
    ) -> None:
        self._settings = settings
        self._voices = Voices(settings)
        self._store = store
        self._tell = tell
        self._on_batch = on_batch
        self._rewind = rewind
        self._follow = False
        self._batch: list[Any] = []
        self._batch_bytes = 0
        self._ends: dict[TopicPartition, int] = {}
        self._producer: Any = None
        self.collected = Collected(0, 0, 0)

        given = client_options(reached(settings), KafkaConsumer)
        options = {"group_instance_id": _MEMBER, "fetch_max_bytes": _FETCH_BYTES, **given}
        self._consumer: Any = KafkaConsumer(
            **options
            | {
                "group_id": settings.labels_group_id,
                "enable_auto_commit": False,
                "auto_offset_reset": "earliest",
                "isolation_level": "read_committed",
            }
        )
        bound_batches(self._consumer)
        listener = _Rewinding() if rewind else None
        if listener is not None:
            listener.consumer = self._consumer
        self._consumer.subscribe(self._voices.topics, listener=listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)
        if self._producer is not None:
            self._producer.close(timeout=5)

    def run(self, *, follow: bool, interval: float, stopped: Callable[[], bool]) -> None:
        """Read, and store batch after batch, until the end or until ``stopped``."""
        self._follow = follow
        heard = began = time.monotonic()
        while True:
            found = self._consumer.poll(timeout_ms=POLL_MS, max_records=_POLL_RECORDS)
            now = time.monotonic()
            if found:
                heard = now
                began = began if self._batch else now
                for records in found.values():
                    self._batch.extend(records)
                    self._batch_bytes += sum(map(_bytes_of, records))
            done = stopped() or (not follow and self._at_end())
            full = len(self._batch) >= _BATCH_RECORDS or self._batch_bytes >= _BATCH_BYTES
            if self._batch and (done or full or (follow and now - began >= interval)):
                self._keep()
                heard = time.monotonic()
            if done:
                return
            if follow and not self._batch and now - heard > _SILENT_SECONDS:
                if self._answers():
                    heard = time.monotonic()
                elif now - heard > _GONE_SECONDS:
                    raise RetryableError(
                        f"Kafka has not answered for {now - heard:.0f} s: check that it runs"
                    )
            if not follow and now - heard > QUIET_SECONDS:
                raise RetryableError(
                    f"Kafka gave no label for {QUIET_SECONDS:.0f} s though there are more: check "
                    "its brokers, and that no other collector is in the group "
                    f"{self._settings.labels_group_id}; what was stored is committed"
                )

    def _answers(self) -> bool:
        """Commit where it stands once more, all that was read being stored; does Kafka take it?

        Raises:
            FencedInstanceIdError: the group is another collector's.
        """
        stands = {
            partition: self._consumer.position(partition, timeout_ms=POLL_MS)
            for partition in self._consumer.assignment()
        }
        offsets = {
            partition: OffsetAndMetadata(offset)
            for partition, offset in stands.items()
            if offset is not None
        }
        try:
            if offsets:
                self._consumer.commit(offsets, timeout_ms=_ANSWER_MS)
            else:
                any_partition = TopicPartition(self._voices.topics[0], 0)
                self._consumer.end_offsets([any_partition], timeout_ms=_ANSWER_MS)
        except KafkaTimeoutError:
            return False
        except CommitFailedError:
            pass  # Being rebalanced, so Kafka is there.
        return True

    def _at_end(self) -> bool:
        """Has everything been read that was there when its partition was assigned?"""
        assigned: set[TopicPartition] = self._consumer.assignment()
        new = assigned - self._ends.keys()
        if new:
            self._ends.update(self._consumer.end_offsets(list(new)))
        return bool(assigned) and all(
            (self._consumer.position(partition, timeout_ms=POLL_MS) or 0) >= self._ends[partition]
            for partition in assigned
        )

    def _keep(self) -> None:
        """The batch onto disk and into Kafka, then its offsets."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if self._rewind:
            self._commit_beginnings()
        read = [(record, _read(record, self._voices)) for record in batch]
        labels = [result for _, result in read if isinstance(result, StoredLabel)]
        letters = [
            dead_letter_of(record, result)
            for record, result in read
            if isinstance(result, Rejected)
        ]
        stored = self._store.add(labels)
        self._send(letters)
        for line in self._voices.refusals():
            self._tell(line)
        self._commit(batch)
        done = Collected(len(batch), stored, len(letters))
        self.collected = Collected(*map(sum, zip(self.collected, done, strict=True)))
        if self._follow or len(batch) >= _BATCH_RECORDS:
            self._tell(str(done))
        self._on_batch(done)

    def _commit_beginnings(self) -> None:
        """Take back what the group had committed, before a store that was empty is no more.

        Else a kill after the first batch would leave a store with labels, and offsets far beyond.
        """
        self._rewind = False
        partitions = list(self._consumer.assignment())
        first = self._consumer.beginning_offsets(partitions)
        self._consumer.commit({each: OffsetAndMetadata(first[each]) for each in partitions})

    def _commit(self, batch: Sequence[Any]) -> None:
        offsets: dict[TopicPartition, int] = {}
        for record in batch:
            partition = TopicPartition(record.topic, record.partition)
            offsets[partition] = max(offsets.get(partition, 0), record.offset + 1)
        try:
            self._consumer.commit(
                {partition: OffsetAndMetadata(offset) for partition, offset in offsets.items()}
            )
        except CommitFailedError:
            # The partitions were taken away meanwhile: whoever has them reads these again, and
            # the rows are there.
            self._tell("the group was rebalanced before a commit: its labels are read again")

    def _send(self, letters: Sequence[Message]) -> None:
        """Wait until Kafka has the dead letters."""
        if not letters:
            return
        if self._producer is None:
            options = client_options(reached(self._settings), KafkaProducer)
            self._producer = KafkaProducer(**options | {"acks": "all"})
        topic = self._settings.topic(self._settings.labels_dead_letters_topic)
        confirmed(
            [
                self._producer.send(topic, key=key, value=value, headers=headers)
                for key, value, headers in letters
            ]
        )


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
