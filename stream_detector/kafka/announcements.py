"""The topic of announced models: read from its beginning outside of any group, and written."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, get_args

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream_detector.errors import RefusedModelError, RetryableError, TopicsError
from stream_detector.events import Kind
from stream_detector.kafka.admin import reached
from stream_detector.kafka.clients import aiokafka_consumer_options, aiokafka_producer_options
from stream_detector.kafka.retry import back_off
from stream_detector.models.announcement import (
    Announcement,
    Role,
    ShadowEnd,
    announcement_key,
    decode_announcement,
    encode_announcement,
    role_of,
    shadow_key,
)
from stream_detector.settings import Settings

__all__ = [
    "Announced",
    "announce",
    "current_announcements",
    "end_shadow",
    "follow_announcements",
]

logger = logging.getLogger(__name__)

_POLL_MS = 1000
_READ_SECONDS = 30.0
"""For the whole topic, which compaction keeps at a few records."""

_FAULTS = (KafkaError, OSError, TimeoutError)

Refuse = Callable[[RefusedModelError], object]
"""Gets what is no announcement; the one before it counts then."""
_Latest = dict[tuple[Role, Kind], Announcement | ShadowEnd]


class Announced(NamedTuple):
    """What is announced, by kind."""

    serving: Mapping[Kind, Announcement]
    """The models that are to serve."""
    shadows: Mapping[Kind, Announcement]
    """Those that are only compared."""


async def current_announcements(settings: Settings) -> Announced:
    """What is announced now. The topic has to be there.

    What is no announcement is passed over; the one before it counts.

    Raises:
        RetryableError: Kafka can't be reached, or does not give the topic in time.
        FatalError: a certificate is not accepted.
        SettingsError: the client can't be set up from these settings.
    """
    try:
        found = await asyncio.to_thread(reached, settings)
        async with asyncio.timeout(_READ_SECONDS), _consumer(found) as consumer:
            latest = _latest(await _read_to_the_end(consumer), {})
    except _FAULTS as error:
        raise RetryableError(
            f"topic {settings.topic(settings.models_topic)} can't be read "
            f"({error or type(error).__name__}): check that Kafka runs, and the right to READ it"
        ) from error
    return Announced(serving=_of_role(latest, "serve"), shadows=_of_role(latest, "shadow"))


async def follow_announcements(
    settings: Settings,
    *,
    offer: Callable[[Announcement], object],
    offer_shadow: Callable[[Announcement | ShadowEnd], object],
    refuse: Refuse,
    refuse_shadow: Refuse,
) -> None:
    """Give ``offer`` what is announced now, then what is announced anew, until cancelled.

    Of several at once only the last of a kind is offered. ``offer_shadow`` gets the shadows, and
    first of all an end for each kind that has none: compaction may have removed the record that
    ended it while Kafka was away. While it is, this waits.

    Raises:
        SettingsError: the client can't be set up from these settings.
    """
    refusing: Mapping[Role, Refuse] = {"serve": refuse, "shadow": refuse_shadow}
    for pause in back_off():
        try:
            async with _consumer(settings) as consumer:
                # What stood in between was announced before this worker was there.
                kinds: tuple[Kind, ...] = get_args(Kind)
                latest: _Latest = {("shadow", kind): ShadowEnd(kind) for kind in kinds}
                latest |= _latest(await _read_to_the_end(consumer), refusing)
                while True:
                    for (role, _), announced in latest.items():
                        if role == "shadow":
                            offer_shadow(announced)
                        elif isinstance(announced, Announcement):
                            offer(announced)
                    batches = await consumer.getmany(timeout_ms=_POLL_MS)
                    latest = _latest(
                        [record for batch in batches.values() for record in batch], refusing
                    )
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
        FatalError: a certificate is not accepted.
        SettingsError: the client can't be set up from these settings.
    """
    await _write(settings, announcement_key(announcement), encode_announcement(announcement))


async def end_shadow(settings: Settings, kind: Kind) -> None:
    """Write that ``kind`` has no shadow any more, and wait until all replicas have it.

    Raises:
        RetryableError: as ``announce``.
        SettingsError: as ``announce``.
    """
    await _write(settings, shadow_key(kind), None)


async def _write(settings: Settings, key: bytes, value: bytes | None) -> None:
    topic = settings.topic(settings.models_topic)
    options = aiokafka_producer_options(await asyncio.to_thread(reached, settings))
    producer = AIOKafkaProducer(**{**options, "acks": "all"})
    try:
        try:
            await producer.start()
            await producer.send_and_wait(topic, value, key=key)
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


def _of_role(latest: _Latest, role: Role) -> dict[Kind, Announcement]:
    return {
        kind: announced
        for (of_role, kind), announced in latest.items()
        if of_role == role and isinstance(announced, Announcement)
    }


def _latest(records: Iterable[Any], refusing: Mapping[Role, Refuse]) -> _Latest:
    """The last that was announced for each role and kind."""
    latest: _Latest = {}
    for record in records:
        try:
            announced = decode_announcement(record.key, record.value)
        except RefusedModelError as error:
            if refuse := refusing.get(role_of(record.key)):
                refuse(error)
            continue
        if announced is not None:
            role = announced.role if isinstance(announced, Announcement) else "shadow"
            latest[role, announced.kind] = announced
    return latest
