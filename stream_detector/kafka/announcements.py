"""The topic of announced models: read from its beginning outside of any group, and written."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_detector.errors import RefusedModelError, RetryableError, TopicsError
from stream_detector.events import Kind
from stream_detector.kafka.clients import aiokafka_consumer_options, aiokafka_producer_options
from stream_detector.kafka.retry import back_off
from stream_detector.models.announcement import (
    Announcement,
    announcement_key,
    decode_announcement,
    encode_announcement,
)
from stream_detector.settings import Settings

__all__ = ["announce", "current_announcements", "follow_announcements"]

logger = logging.getLogger(__name__)

_POLL_MS = 1000
_READ_SECONDS = 30.0
"""For the whole topic, which compaction keeps at a few records."""

_FAULTS = (KafkaError, OSError, TimeoutError)

Refuse = Callable[[RefusedModelError], object]


async def current_announcements(
    settings: Settings, *, refuse: Refuse | None = None
) -> dict[Kind, Announcement]:
    """What is announced now, by kind. The topic has to be there.

    ``refuse`` gets what is no announcement; the one before it counts then.

    Raises:
        RetryableError: Kafka can't be reached, or does not give the topic in time.
        SettingsError: the client can't be set up from these settings.
    """
    try:
        async with asyncio.timeout(_READ_SECONDS), _consumer(settings) as consumer:
            return _latest(await _read_to_the_end(consumer), refuse)
    except _FAULTS as error:
        raise RetryableError(
            f"topic {settings.topic(settings.models_topic)} can't be read "
            f"({error or type(error).__name__}): check that Kafka runs, and the right to READ it"
        ) from error


async def follow_announcements(
    settings: Settings, *, offer: Callable[[Announcement], object], refuse: Refuse
) -> None:
    """Give ``offer`` what is announced now, then what is announced anew, until cancelled.

    Of several at once only the last of a kind is offered. While Kafka is away this waits.

    Raises:
        SettingsError: the client can't be set up from these settings.
    """
    for pause in back_off():
        try:
            async with _consumer(settings) as consumer:
                # What stood in between was announced before this worker was there.
                records = await _read_to_the_end(consumer)
                while True:
                    for announcement in _latest(records, refuse).values():
                        offer(announcement)
                    batches = await consumer.getmany(timeout_ms=_POLL_MS)
                    records = [record for batch in batches.values() for record in batch]
        except _FAULTS as error:
            logger.warning(
                "topic %s can't be read (%s), the models that serve go on; trying again in %.1f s",
                settings.topic(settings.models_topic),
                error or type(error).__name__,
                pause,
            )
        await asyncio.sleep(pause)


async def announce(settings: Settings, announcement: Announcement) -> None:
    """Write an announcement, and wait until all replicas have it.

    Raises:
        TopicsError: it may not be written.
        RetryableError: Kafka can't be reached, or does not take it.
        SettingsError: the client can't be set up from these settings.
    """
    topic = settings.topic(settings.models_topic)
    producer = AIOKafkaProducer(**{**aiokafka_producer_options(settings), "acks": "all"})
    try:
        try:
            await producer.start()
            await producer.send_and_wait(
                topic, encode_announcement(announcement), key=announcement_key(announcement)
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


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[Any]:
    """A started consumer of all partitions from their beginning, which joins no group."""
    consumer = AIOKafkaConsumer(
        settings.topic(settings.models_topic),
        **{
            **aiokafka_consumer_options(settings),
            "group_id": None,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
        },
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        with contextlib.suppress(*_FAULTS):
            await consumer.stop()


async def _read_to_the_end(consumer: Any) -> list[Any]:
    """All records up to the ends that the partitions have now, in order of offset within each."""
    ends = await consumer.end_offsets(consumer.assignment())
    records: list[Any] = []
    for partition, end in ends.items():
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(timeout_ms=_POLL_MS)
            records.extend(record for batch in batches.values() for record in batch)
    return records


def _latest(records: Iterable[Any], refuse: Refuse | None) -> dict[Kind, Announcement]:
    """The last announcement of each kind."""
    latest: dict[Kind, Announcement] = {}
    for record in records:
        try:
            announcement = decode_announcement(record.key, record.value)
        except RefusedModelError as error:
            if refuse is not None:
                refuse(error)
            continue
        if announcement is not None:
            latest[announcement.kind] = announcement
    return latest
