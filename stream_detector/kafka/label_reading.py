"""The topics of labels, read by kafka-python as a consumer group, and their dead letters."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from stream_detector.errors import FatalError, RetryableError, TopicsError
from stream_detector.kafka.admin import as_ours
from stream_detector.kafka.bounded_reading import (
    POLL_MS,
    QUIET_SECONDS,
    Headers,
    bounded_consumer,
)
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.rights import rights_of
from stream_detector.kafka.topics import topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.wire.labels import SIGNATURE
from stream_detector.wire.outcomes import Message

RECORD_BYTES_MAX = 512 * 1024
"""Key and value of a record. The longest label, its URL of 65,536 characters escaped in JSON, has
400 KB."""
KEPT_BYTES = 64 * 1024
"""Of key and of value of a longer record."""
KEY_BYTES, VALUE_BYTES = "key-bytes", "value-bytes"
"""The only headers of a longer record: the lengths of its key and its value."""

_POLL_RECORDS = 64
"""Records that come at once: each may have ``RECORD_BYTES_MAX``."""
_FETCH_BYTES = 8 * 1024 * 1024
"""What a broker sends at once, compressed; by default kafka-python asks for 50 MiB."""
_SILENT_SECONDS = 5.0
"""After this time without a record the reader asks whether Kafka is there and whether the group is
still its own: a poll reports neither, and a fenced heartbeat stops silently."""
_ANSWER_MS = 5_000
_GONE_SECONDS = 20.0
"""After this time the reader gives up: a cluster takes some 10 s to replace a broker that died."""
_MEMBER = "label-collector"
"""Static membership: the collector that comes after a killed one takes its place at once, without
the 45 s that Kafka would wait for the dead member."""


def kept_of_label(
    key: bytes | None, value: bytes | None, headers: Headers
) -> tuple[bytes | None, bytes | None, Headers]:
    """A record of a topic of labels, cut if it is longer than any label.

    Other headers than a signature go: their writer could name them as those of a cut record.
    """
    lengths = len(key or b""), len(value or b"")
    if sum(lengths) <= RECORD_BYTES_MAX:
        return key, value, [each for each in headers if each[0] == SIGNATURE]
    said = zip((KEY_BYTES, VALUE_BYTES), lengths, strict=True)
    return (
        key and key[:KEPT_BYTES],
        value and value[:KEPT_BYTES],
        [(name, b"%d" % length) for name, length in said],
    )


@contextmanager
def label_reader(
    settings: Settings, *, follows: bool, from_beginning: bool
) -> Iterator["LabelReader"]:
    """A reader for the block.

    Args:
        settings: say where Kafka is, the topics, and the group (``labels_group_id``).
        follows: whether it goes on at the end of the topics.
        from_beginning: read all that the topics still hold, wherever the group stands.

    Raises:
        TopicsError: a topic is missing or may not be used.
        RetryableError: Kafka can't be reached, or sends nothing for a minute though there is more;
            where it follows, also when Kafka is gone, after some 25 s.
        FatalError: Kafka refuses the credentials or a request, or another collector has taken the
            group over.
    """
    if problems := topic_problems(settings, "label-collector"):
        raise TopicsError("; ".join(problems))
    try:
        with bounded_consumer(
            settings,
            defaults={"group_instance_id": _MEMBER, "fetch_max_bytes": _FETCH_BYTES},
            keep=kept_of_label,
            group_id=settings.labels_group_id,
            auto_offset_reset="earliest",
        ) as consumer:
            yield LabelReader(settings, consumer, follows=follows, from_beginning=from_beginning)
    except FencedInstanceIdError as error:
        raise FatalError(
            f"another collector has taken over the group {settings.labels_group_id}: give each "
            "store a labels_group_id of its own"
        ) from error
    except (KafkaError, OSError) as error:
        rights = rights_of("label-collector", settings)
        raise as_ours(error, settings, rights=rights) from error


class LabelReader:
    """The consumer of the group. The caller commits records when it has stored them."""

    def __init__(
        self, settings: Settings, consumer: Any, *, follows: bool, from_beginning: bool
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._follows = follows
        self._rewinds = from_beginning
        self._ends: dict[TopicPartition, int] = {}
        self._heard = time.monotonic()
        analysts, feeds, self._dead_letters = settings.label_topic_names
        self._topics = [analysts, feeds]
        listener = _Rewinding(consumer) if from_beginning else None
        consumer.subscribe(self._topics, listener=listener)

    def poll(self) -> list[Any]:
        """The next records, cut as by ``kept_of_label``; none after half a second."""
        found = self._consumer.poll(timeout_ms=POLL_MS, max_records=_POLL_RECORDS)
        if found:
            self._heard = time.monotonic()
        return [record for records in found.values() for record in records]

    def is_at_end(self) -> bool:
        """Whether everything was read that was there when its partition was assigned."""
        assigned: set[TopicPartition] = self._consumer.assignment()
        new = assigned - self._ends.keys()
        if new:
            self._ends.update(self._consumer.end_offsets(list(new)))
        return bool(assigned) and all(
            (self._consumer.position(partition, timeout_ms=POLL_MS) or 0) >= self._ends[partition]
            for partition in assigned
        )

    def check_heard(self, *, has_unstored: bool) -> None:
        """Check after a poll that Kafka is still there, where it has been silent for long.

        A reader that follows asks by a commit, which must not come before records are stored.

        Raises:
            RetryableError: Kafka does not answer, or sends nothing though there is more.
        """
        silent = time.monotonic() - self._heard
        if self._follows:
            if has_unstored or silent <= _SILENT_SECONDS:
                return
            if self._answers():
                self._heard = time.monotonic()
            elif silent > _GONE_SECONDS:
                raise RetryableError(
                    f"Kafka has not answered for {silent:.0f} s: check that it runs"
                )
        elif silent > QUIET_SECONDS:
            raise RetryableError(
                f"Kafka sent no label for {QUIET_SECONDS:.0f} s though there are more: check its "
                "brokers, and that no other collector is in the group "
                f"{self._settings.labels_group_id}; what was stored is committed"
            )

    def commit(self, records: Sequence[Any]) -> bool:
        """Commit ``records``; False where the group was rebalanced, so that they come again."""
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            offsets[partition] = max(offsets.get(partition, 0), record.offset + 1)
        try:
            self._consumer.commit(
                {partition: OffsetAndMetadata(offset) for partition, offset in offsets.items()}
            )
        except CommitFailedError:
            # The member that has the partitions now reads these records again; the store has them.
            return False
        finally:
            self._heard = time.monotonic()
        return True

    def commit_beginnings(self) -> None:
        """Commit the beginnings, if the reader began there, before the first records are stored.

        A kill after the first batch would otherwise leave a store with a few labels, which the next
        run would not fill from the beginning, and commits of the group far beyond them.
        """
        if not self._rewinds:
            return
        self._rewinds = False
        partitions = list(self._consumer.assignment())
        first = self._consumer.beginning_offsets(partitions)
        self._consumer.commit({each: OffsetAndMetadata(first[each]) for each in partitions})

    def send_dead_letters(self, letters: Sequence[Message]) -> None:
        """Write dead letters; returns when all in-sync replicas have them."""
        if not letters:
            return
        with confirming_producer(self._settings, "label-collector") as producer:
            confirmed(
                [
                    producer.send(self._dead_letters, key=key, value=value, headers=headers)
                    for key, value, headers in letters
                ]
            )

    def _answers(self) -> bool:
        """Commit the present positions once more; does Kafka take it?

        Raises:
            FencedInstanceIdError: the group is another collector's.
        """
        offsets = {
            partition: OffsetAndMetadata(offset)
            for partition in self._consumer.assignment()
            if (offset := self._consumer.position(partition, timeout_ms=POLL_MS)) is not None
        }
        try:
            if offsets:
                self._consumer.commit(offsets, timeout_ms=_ANSWER_MS)
            else:
                any_partition = TopicPartition(self._topics[0], 0)
                self._consumer.end_offsets([any_partition], timeout_ms=_ANSWER_MS)
        except KafkaTimeoutError:
            return False
        except CommitFailedError:
            pass  # The group is being rebalanced, so Kafka is there.
        return True


class _Rewinding(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Sends each partition to its beginning when it is assigned for the first time."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._rewound: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Read from the first record that the topic holds."""
        new = set(assigned) - self._rewound
        if new:
            self._rewound |= new
            self._consumer.seek_to_beginning(*new)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: the next member reads uncommitted records again."""
