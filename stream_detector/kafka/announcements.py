"""The topic of announced models: read from its beginning outside of any group, and written.

With ``model_public_key`` only announcements that its private half signed count. The newest is the
one with the highest sequence, wherever it stands in the topic: who may write to the topic could
repeat an older one behind it. A running process remembers the newest; a starting one learns it from
the topic and the model store.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_detector.errors import RetryableError, TopicsError
from stream_detector.events import Kind
from stream_detector.kafka.admin import reached
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.fetched import lone_consumer
from stream_detector.kafka.retry import back_off
from stream_detector.models.announcement import (
    Announcement,
    Role,
    ShadowEnd,
    announcement_key,
    encode_announcement,
    role_of,
    shadow_key,
)
from stream_detector.models.signed_announcements import (
    AnnouncementOrder,
    Latest,
    Refuse,
    SignedRecord,
    keep_signed,
    kept_signed,
    next_sequence,
    signed_record,
)
from stream_detector.models.signing import public_half, read_public_key
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings

logger = logging.getLogger(__name__)

_POLL_MS = 1000
_POLL_RECORDS = 200
"""Judged at once: a signature takes 0.1 ms of the event loop."""
_READ_SECONDS = 30.0
"""For the whole topic, which compaction keeps short."""

_FAULTS = (KafkaError, OSError, TimeoutError)


class Announced(NamedTuple):
    """The announced models, by kind: those to serve, and those to compare with."""

    serving: Mapping[Kind, Announcement]
    shadows: Mapping[Kind, Announcement]


async def current_announcements(
    settings: Settings, *, signing_key: Path | None = None
) -> Announced:
    """The current announcements. The topic has to exist.

    Other records are skipped, as are those that ``signing_key``, or else ``model_public_key``, did
    not sign. With ``signing_key`` an unsigned announcement counts as long as no signed one exists,
    since the caller is about to sign.

    Raises:
        RetryableError: Kafka can't be reached, or does not send the topic in time.
        FatalError: a certificate is not accepted.
        SettingsError: the client can't be set up from these settings, or a key is invalid.
    """
    signed = _order(settings, signing_key)
    last = AnnouncementOrder(None)
    latest = await _read_now(settings, signed, last)
    if signing_key is not None:
        signed_keys = filter(signed.sequence, latest)
        latest = {**last.newest(), **{key: latest[key] for key in signed_keys}}
    found = [each for each in latest.values() if isinstance(each, Announcement)]
    return Announced(
        serving={each.kind: each for each in found if each.role == "serve"},
        shadows={each.kind: each for each in found if each.role == "shadow"},
    )


async def follow_announcements(
    settings: Settings,
    *,
    offer: Callable[[Announcement], object],
    offer_shadow: Callable[[Announcement | ShadowEnd], object],
    refuse: Refuse,
    refuse_shadow: Refuse,
) -> None:
    """Pass the current announcements to ``offer``, then each new one, until cancelled.

    Of several at once only the last of a kind counts. ``offer_shadow`` gets the shadows, and first
    an end for each kind without a shadow: while Kafka was away, compaction may have removed the
    record that ended it. Waits while Kafka is away.

    Raises:
        SettingsError: the client can't be set up from these settings, or the public key is
            invalid.
    """
    order = _order(settings, None, {"serve": refuse, "shadow": refuse_shadow})
    pauses = back_off()
    while True:
        try:
            async with _consumer(settings) as consumer:
                # Announcements in between came before this worker.
                order.begin()
                await _read_to_the_end(consumer, order)
                latest = order.newest(await _kept(settings, order))
                pauses = back_off()  # Kafka answers again: the next fault starts a new series.
                while True:
                    for key, announced in latest.items():
                        if role_of(key) == "shadow":
                            offer_shadow(announced)
                        elif isinstance(announced, Announcement):
                            offer(announced)
                    order.read(await _some_records(consumer))
                    latest = order.newest()
        except _FAULTS as error:
            pause = next(pauses)
            logger.warning(
                "topic %s can't be read (%s), the current models serve on; trying again in %.1f s",
                settings.models_topic_name,
                error or type(error).__name__,
                pause,
            )
            await asyncio.sleep(pause)


async def announce(
    settings: Settings, announcement: Announcement, *, signing_key: Path | None = None
) -> None:
    """Write an announcement to all replicas; ``signing_key`` signs it, also for the model store.

    Raises:
        TopicsError: it may not be written.
        RetryableError: Kafka or the store can't be reached, or does not accept it.
        FatalError: a certificate is not accepted.
        SettingsError: the client can't be set up from these settings, or the key is invalid.
    """
    value = encode_announcement(announcement)
    await _announce(settings, announcement_key(announcement), value, signing_key)


async def end_shadow(settings: Settings, kind: Kind, *, signing_key: Path | None = None) -> None:
    """Write the end of the shadow of ``kind`` to all replicas. Raises as ``announce``."""
    await _announce(settings, shadow_key(kind), None, signing_key)


async def _announce(
    settings: Settings, key: bytes, value: bytes | None, signing_key: Path | None
) -> None:
    if signing_key is None:
        await _write(settings, SignedRecord(key, value, []))
        return
    order = _order(settings, signing_key)
    await _read_now(settings, order)
    sequence = next_sequence(order.sequence(key))
    record = signed_record(key, value, sequence=sequence, signing_key=signing_key)
    await _write(settings, record)
    await asyncio.to_thread(keep_signed, ModelStore(settings.model_store), record)


async def _write(settings: Settings, record: SignedRecord) -> None:
    topic = settings.models_topic_name
    options = client_options(await asyncio.to_thread(reached, settings), AIOKafkaProducer)
    producer = AIOKafkaProducer(**{**options, "acks": "all"})
    try:
        try:
            await producer.start()
            await producer.send_and_wait(
                topic, record.value, key=record.key, headers=list(record.headers)
            )
        finally:
            await producer.stop()
    except TopicAuthorizationFailedError as error:
        raise TopicsError(
            f"topic {topic} may not be written: give {settings.sasl_username or 'this client'} the "
            "right WRITE"
        ) from error
    except _FAULTS as error:
        raise RetryableError(
            f"topic {topic} can't be written ({error or type(error).__name__}): check that Kafka "
            "runs, and the right to WRITE it"
        ) from error


def _order(
    settings: Settings, signing_key: Path | None, refusing: Mapping[Role, Refuse] | None = None
) -> AnnouncementOrder:
    """Checked by the public half of ``signing_key``, or else by ``model_public_key``, if set."""
    key = None
    if signing_key is not None:
        key = public_half(signing_key)
    elif settings.model_public_key is not None:
        key = read_public_key(settings.model_public_key)
    return AnnouncementOrder(key, refusing)


async def _read_now(settings: Settings, *orders: AnnouncementOrder) -> Latest:
    """Let ``orders`` read the topic to its end; returns the newest of the first of them."""
    try:
        found = await asyncio.to_thread(reached, settings)
        async with asyncio.timeout(_READ_SECONDS), _consumer(found) as consumer:
            await _read_to_the_end(consumer, *orders)
    except _FAULTS as error:
        raise RetryableError(
            f"topic {settings.models_topic_name} can't be read "
            f"({error or type(error).__name__}): check that Kafka runs, and the right to READ it"
        ) from error
    return orders[0].newest(await _kept(settings, orders[0]))


async def _kept(settings: Settings, order: AnnouncementOrder) -> list[SignedRecord]:
    """The signed records in the model store; none while the store can't be reached."""
    if not order.needs_signatures:
        return []
    try:
        return await asyncio.to_thread(kept_signed, ModelStore(settings.model_store))
    except RetryableError as error:
        logger.warning("%s; announcements are read only from the topic", error)
        return []


def _consumer(settings: Settings) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    return lone_consumer(
        client_options(settings, AIOKafkaConsumer),
        settings.models_topic_name,
        record_bytes_max=settings.record_bytes_max,
    )


async def _read_to_the_end(consumer: Any, *orders: AnnouncementOrder) -> None:
    """Read up to the current ends of the partitions, in order of offset within each."""
    ends = await consumer.end_offsets(consumer.assignment())
    for partition, end in ends.items():
        while await consumer.position(partition) < end:
            records = await _some_records(consumer)
            for order in orders:
                order.read(records)


async def _some_records(consumer: Any) -> list[Any]:
    batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
    return [record for batch in batches.values() for record in batch]
