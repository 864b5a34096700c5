"""Writes labels into Kafka."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stream_detector.errors import LabelError, SettingsError, TopicsError
from stream_detector.events import Label
from stream_detector.kafka.confirmed import confirmed, confirming_producer
from stream_detector.kafka.rights import Part
from stream_detector.kafka.topics import topic_problems
from stream_detector.models.signing import read_private_key, read_public_keys
from stream_detector.settings.fields import Settings
from stream_detector.wire.labels import (
    SIGNATURE,
    LabelKeys,
    is_feed,
    label_message,
    label_signature,
    voice_of,
)
from stream_detector.wire.outcomes import Message

_CONFIRMED_AT_ONCE = 5000
"""Labels confirmed together; ``on_written`` follows each time."""


class Written(NamedTuple):
    """The place of a label in Kafka."""

    topic: str
    partition: int
    offset: int


def write_labels(
    settings: Settings,
    labels: Sequence[Label],
    *,
    signing_key: Path | None = None,
    on_written: Callable[[int], object] = lambda _: None,
) -> list[Written]:
    """Write ``labels`` to their topics; returns their places when all in-sync replicas have them.

    A label that names an analyst goes to the topic of analysts, others to that of feeds. With
    ``signing_key`` each is signed. ``on_written`` gets the number so far, now and then. After an
    error some may be in Kafka; writing them again does no harm, since the latest label of each
    text and source counts.

    Raises:
        LabelError: a feed is not among ``label_feeds``; nothing was written.
        SettingsError: a key can't be read, or is not the one in ``label_keys``; nothing was
            written.
        TopicsError: a topic is missing or may not be written to.
        RetryableError: Kafka can't be reached, or went away.
        FatalError: it refuses the credentials or a label.
    """
    key = None if signing_key is None else read_private_key(signing_key)
    keys = LabelKeys(read_public_keys(settings.label_keys, "label_keys"))
    numbers: dict[Part, list[int]] = {}
    for number, label in enumerate(labels):
        if is_feed(label) and settings.label_feeds and label.feed not in settings.label_feeds:
            raise LabelError(f"feed {label.feed!r} is not among label_feeds; nothing was written")
        _check_key(label, key, keys, signing_key)
        numbers.setdefault("feed-labeller" if is_feed(label) else "labeller", []).append(number)
    if problems := [problem for part in numbers for problem in topic_problems(settings, part)]:
        raise TopicsError("; ".join(problems))
    found: dict[int, Written] = {}
    analysts, feeds, _ = settings.label_topic_names
    for part, of_part in numbers.items():
        topic = feeds if part == "feed-labeller" else analysts
        with confirming_producer(settings, part) as producer:
            for start in range(0, len(of_part), _CONFIRMED_AT_ONCE):
                chosen = of_part[start : start + _CONFIRMED_AT_ONCE]
                messages = [_signed(label_message(labels[number]), key) for number in chosen]
                written = confirmed(
                    [
                        producer.send(topic, key=key, value=value, headers=headers)
                        for key, value, headers in messages
                    ]
                )
                for number, metadata in zip(chosen, written, strict=True):
                    found[number] = Written(topic, metadata.partition, metadata.offset)
                on_written(len(found))
    return [found[number] for number in range(len(labels))]


def _check_key(
    label: Label, key: Ed25519PrivateKey | None, keys: LabelKeys, path: Path | None
) -> None:
    """Raise SettingsError if the trainer would refuse ``label`` signed with ``key``."""
    wanted = keys.of(label)
    if wanted is None:
        return
    if key is None:
        raise SettingsError(
            f"label_keys has a key for {voice_of(label)}: give --signing-key; nothing was written"
        )
    if key.public_key() != wanted:
        raise SettingsError(
            f"{path} is not the key that label_keys has for {voice_of(label)}: give the one that "
            "belongs to it; nothing was written"
        )


def _signed(message: Message, signing_key: Ed25519PrivateKey | None) -> Message:
    if signing_key is None:
        return message
    key, value, headers = message
    return key, value, [*headers, (SIGNATURE, label_signature(value or b"", signing_key))]
