"""Saves the topics that cannot be created again into a file, and restores them.

These are the topics of labels and, with a model store, the topic of announced models. Key, value
and headers are kept byte for byte, so that signatures stay valid; so are partition, order and time.
If a topic kept all its records from offset 0 on, they get their offsets back, and a label store,
which knows labels by offset and time, continues with the restored topic.

The file has a JSON object per line and ends with the number of records: a truncated file is
refused. It shows who visited what, so only its owner may read it (mode 0600).
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import msgspec
from kafka import TopicPartition

from stream_detector.errors import SettingsError, StreamDetectorError, TopicsError
from stream_detector.kafka.bounded_reading import Span, is_unread, reading, records_of
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.rights import Part
from stream_detector.kafka.topics import check_topic
from stream_detector.settings.fields import Settings
from stream_detector.system.atomic_files import atomic_file
from stream_detector.terminal.counted import counted

_Role = Literal["labels", "feed_labels", "models"]
_PARTS: Mapping[_Role, Part] = {
    "labels": "labeller",
    "feed_labels": "feed-labeller",
    "models": "model-publisher",
}
"""The topics, each with its writer, whose rights an error names."""
_CONFIRM_RECORDS = 1000
_RECORD_BYTES_MAX = 256 * 1024 * 1024
"""The topic decides which record is too large, not this client."""


class BackupError(StreamDetectorError):
    """The file can't be written or read, or is no complete backup."""


class Saved(NamedTuple):
    """A topic that was saved."""

    topic: str
    records: int
    unread: int
    """Records in damaged or far too large batches, which are not in the file."""


class Restored(NamedTuple):
    """A topic that was restored."""

    topic: str
    records: int
    moved: int | None
    """Records at another offset than before; None if offsets do not matter."""


class _Record(msgspec.Struct, frozen=True):
    """A record, as a line; bytes in Base64."""

    topic: _Role
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line."""

    records: int


_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(_Record).decode
_decode_end = msgspec.json.Decoder(_End).decode


def save_topics(
    settings: Settings, file: Path, *, on_progress: Callable[[int], object] = lambda _: None
) -> list[Saved]:
    """Write the current records of the topics into ``file``, all or none.

    ``on_progress`` gets the number of records so far.

    Raises:
        BackupError: the file can't be written.
        TopicsError: a topic is missing or may not be read.
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials.
    """
    total = 0

    def count(records: int) -> None:
        nonlocal total
        total += records
        on_progress(total)

    roles = [role for role in _PARTS if role != "models" or settings.model_store]
    try:
        with atomic_file(file, mode=0o600) as lines:
            saved = [_save(settings, role, lines, count) for role in roles]
            lines.write(_encode(_End(total)) + b"\n")
    except OSError as error:
        raise BackupError(f"{file} can't be written: {error.strerror}") from error
    return saved


def restore_topics(
    settings: Settings, file: Path, *, on_progress: Callable[[int], object] = lambda _: None
) -> list[Restored]:
    """Write the records of ``file`` into the topics that the settings name, which must be empty.

    Returns when all in-sync replicas have them. ``on_progress`` gets the number of records so far.
    The first three errors come before anything is written.

    Raises:
        BackupError: the file can't be read, or is no complete backup.
        SettingsError: it has announced models, and no model store is set.
        TopicsError: a topic is missing, holds records, has fewer partitions than before, or may
            not be used.
        RetryableError: Kafka can't be reached.
        FatalError: it refuses the credentials or a record.
    """
    partitions = _partitions_of(file)
    if "models" in partitions and not settings.model_store:
        raise SettingsError(
            f"{file} has announcements of models: set --model-store, so that `topics create` makes "
            "their topic"
        )
    for role, highest in partitions.items():
        _check_empty(settings, role, highest + 1)
    total = 0

    def count(records: int) -> None:
        nonlocal total
        total += records
        on_progress(total)

    with file.open("rb") as lines:
        by_topic = itertools.groupby(_records_of(lines), lambda record: record.topic)
        return [_restore(settings, role, records, count) for role, records in by_topic]


def _name_of(settings: Settings, role: _Role) -> str:
    """The setting that names the topic."""
    return str(getattr(settings, f"{role}_topic"))


def _save(
    settings: Settings, role: _Role, lines: IO[bytes], count: Callable[[int], object]
) -> Saved:
    name = _name_of(settings, role)
    saved = unread = 0
    with reading(settings, name) as consumer:
        for span in _all_of(consumer, settings.topic(name)):
            for records, _ in records_of(consumer, span):
                whole = [record for record in records if not is_unread(record)]
                lines.writelines(_line(role, record) for record in whole)
                saved += len(whole)
                unread += len(records) - len(whole)
                count(len(whole))
    return Saved(settings.topic(name), saved, unread)


def _all_of(consumer: Any, topic: str) -> Iterator[Span]:
    partitions = [
        TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))
    ]
    first, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    for each in partitions:
        if first[each] < ends[each]:
            yield Span(each, first[each], ends[each])


def _line(role: _Role, record: Any) -> bytes:
    saved = _Record(
        role,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        list(record.headers),
    )
    return _encode(saved) + b"\n"


def _records_of(lines: IO[bytes]) -> Iterator[_Record]:
    """All records. The last line is none; ``_partitions_of`` has checked it."""
    for line in lines:
        with suppress(msgspec.ValidationError):
            yield _decode_record(line)


def _partitions_of(file: Path) -> dict[_Role, int]:
    """The highest partition of each topic in ``file``; reads and checks the whole file."""
    highest: dict[_Role, int] = {}
    count, ended = 0, False
    try:
        with file.open("rb") as lines:
            for line in lines:
                if ended:
                    raise BackupError(f"{file} is no backup: it goes on behind its last line")
                try:
                    record = _decode_record(line)
                except msgspec.ValidationError:
                    ended = _decode_end(line).records == count
                    if not ended:
                        break
                else:
                    count += 1
                    highest[record.topic] = max(highest.get(record.topic, 0), record.partition)
    except OSError as error:
        raise BackupError(f"{file} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{file} is no backup of `topics save`: {error}") from error
    if not ended:
        raise BackupError(f"{file} is not whole ({counted(count, 'record')}): take another backup")
    return highest


def _check_empty(settings: Settings, role: _Role, partitions: int) -> None:
    name = _name_of(settings, role)
    topic = settings.topic(name)
    check_topic(settings, name, "WRITE")
    with reading(settings, name) as consumer:
        there = len(consumer.partitions_for_topic(topic))
        if there < partitions:
            raise TopicsError(
                f"topic {topic} has {there} partitions and the backup {partitions}: make it with "
                f"--topic-partitions {partitions}"
            )
        if any(_all_of(consumer, topic)):
            raise TopicsError(
                f"topic {topic} holds records: restore only into topics that `stream-detector "
                "topics create` has just made"
            )


def _restore(
    settings: Settings, role: _Role, records: Iterator[_Record], count: Callable[[int], object]
) -> Restored:
    topic = settings.topic(_name_of(settings, role))
    written = moved = 0
    options = {"linger_ms": 5, "max_request_size": _RECORD_BYTES_MAX}
    with confirming_producer(settings, _PARTS[role], **options) as producer:
        while chosen := list(itertools.islice(records, _CONFIRM_RECORDS)):
            answers = confirmed([_sent(producer, topic, record) for record in chosen])
            pairs = zip(chosen, answers, strict=True)
            moved += sum(record.offset != answer.offset for record, answer in pairs)
            written += len(chosen)
            count(len(chosen))
    return Restored(topic, written, None if role == "models" else moved)


def _sent(producer: Any, topic: str, record: _Record) -> Any:
    return producer.send(
        topic,
        key=record.key,
        value=record.value,
        headers=record.headers,
        partition=record.partition,
        timestamp_ms=record.timestamp,
    )
