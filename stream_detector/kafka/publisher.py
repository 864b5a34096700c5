"""Sends encoded outputs to Kafka in record batches, and waits until Kafka has all of them.

A ``send`` per record costs several futures each; a whole record batch costs one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple
from zlib import crc32

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from stream_detector.errors import PublishError
from stream_detector.kafka.leaders import leader_of
from stream_detector.kafka.retry import back_off, is_retriable, name_of
from stream_detector.limits import (
    IN_FLIGHT_BYTES_MAX,
    LETTER_SHORT_BYTES_MAX,
    LONE_MESSAGE_BYTES,
)
from stream_detector.metrics import Metrics
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.wire.outcomes import KEY_CUT_FROM, VALUE_CUT_FROM, Encoded, Message

logger = logging.getLogger(__name__)

_COMPARISON_SECONDS = 30.0
"""How long comparisons may take after the other outputs: longer than the election of a leader."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class OutputTopics(NamedTuple):
    """Full names of the topics that a publisher writes."""

    verdicts: str
    alerts: str
    dead_letters: str
    comparisons: str

    @classmethod
    def of(cls, settings: Settings) -> "OutputTopics":
        """Those of the settings."""
        verdicts, alerts, dead_letters = settings.output_topic_names
        return cls(verdicts, alerts, dead_letters, settings.shadow_topic_name)


class _Parcel(NamedTuple):
    """Messages of one partition that fit one record batch."""

    topic: str
    partition: int
    messages: Sequence[Message]


class _Room:
    """The bytes that the Kafka client may hold; exceeded by one record batch at most."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self._is_there = asyncio.Event()
        self._is_there.set()

    async def wait(self) -> None:
        """Wait until some room is left."""
        while self._left <= 0:
            self._is_there.clear()
            await self._is_there.wait()

    def take(self, size: int) -> None:
        self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size
        if self._left > 0:
            self._is_there.set()


class Publisher:
    """Sends the outputs of a batch, and retries for as long as the broker is away.

    ``publish`` returns when all in-sync replicas have every output. It raises ``PublishError`` if
    waiting cannot help (no right to write, a verdict too large). Only one task at a time may call
    it. Kafka's client holds at most ``in_flight_bytes_max`` unacknowledged bytes.

    ``publish`` waits for comparisons too, but not for ever, so that they delay no verdict: it gives
    them up and calls ``comparisons_failed`` with the reason.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topics: OutputTopics,
        *,
        comparisons_failed: Callable[[str], object],
        metrics: Metrics,
        in_flight_bytes_max: int = IN_FLIGHT_BYTES_MAX,
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._in_flight_bytes_max = in_flight_bytes_max
        self._comparisons_failed = comparisons_failed
        self._metrics = metrics

    async def publish(self, encoded: Encoded) -> None:
        """Send all of ``encoded`` and wait for Kafka's acknowledgement.

        Raises:
            PublishError: Kafka refused an output for good.
        """
        comparisons = [(self._topics.comparisons, encoded.comparisons)]
        comparing = asyncio.create_task(self._ship(comparisons))
        try:
            await self._ship(
                [
                    (self._topics.verdicts, encoded.verdicts),
                    (self._topics.alerts, encoded.alerts),
                    (self._topics.dead_letters, encoded.dead_letters),
                ]
            )
            await self._finish(comparing)
        finally:
            if not comparing.done():
                comparing.cancel()
                await asyncio.wait({comparing})

    async def _finish(self, comparing: "asyncio.Task[None]") -> None:
        """Wait for the comparisons, but not for ever."""
        try:
            await asyncio.wait_for(comparing, _COMPARISON_SECONDS)
        except TimeoutError:
            self._comparisons_failed(
                f"topic {self._topics.comparisons} took no comparisons for "
                f"{_COMPARISON_SECONDS:.0f} s"
            )
        except Exception as error:  # noqa: BLE001 - after any error, verdicts go on
            self._metrics.count_error(error)
            self._comparisons_failed(str(error) or type(error).__name__)

    async def _ship(self, outputs: Iterable[tuple[str, Sequence[Message]]]) -> None:
        """Send messages by topic, again and again until Kafka has them all."""
        room = _Room(self._in_flight_bytes_max)
        parcels = [
            parcel for topic, messages in outputs for parcel in await self._parcels(topic, messages)
        ]
        waits = back_off()
        while parcels:
            results = await asyncio.gather(
                *(self._send(parcel, room) for parcel in parcels), return_exceptions=True
            )
            failed = [
                (parcel, result)
                for parcel, result in zip(parcels, results, strict=True)
                if result is not None
            ]
            parcels = [self._to_a_leader(self._again(parcel, error)) for parcel, error in failed]
            if parcels:
                pause = next(waits)
                self._count_retry(*(error for _, error in failed))
                logger.warning(
                    "%s not written to %s (%s), trying again in %.1f s",
                    counted(sum(len(parcel.messages) for parcel in parcels), "output"),
                    ", ".join(sorted({parcel.topic for parcel in parcels})),
                    "larger than max.message.bytes of the topic, so cut"
                    if isinstance(failed[0][1], _TOO_LARGE)
                    else name_of(failed[0][1]),
                    pause,
                )
                await asyncio.sleep(pause)

    async def _parcels(self, topic: str, messages: Sequence[Message]) -> list[_Parcel]:
        """The messages by partition: CRC-32 of the key modulo count, as in librdkafka.

        The Java default (murmur2) has no fast implementation in Python. Only detectors write these
        topics, so any stable hash serves. Outputs for a partition without a leader go to another
        one, or they would block all others; they lose their order by key until it has a leader.
        """
        if not messages:
            return []
        partitions = self._with_leaders(topic, await self._partitions(topic))
        count = len(partitions)
        by_partition: dict[int, list[Message]] = {partition: [] for partition in partitions}
        lone: list[_Parcel] = []
        for message in messages:
            key, value, _ = message
            partition = partitions[crc32(key or b"") % count]
            if len(key or b"") + len(value or b"") > LONE_MESSAGE_BYTES:
                lone.append(_Parcel(topic, partition, [message]))
            else:
                by_partition[partition].append(message)
        return lone + [
            _Parcel(topic, partition, of_partition)
            for partition, of_partition in by_partition.items()
            if of_partition
        ]

    async def _partitions(self, topic: str) -> list[int]:
        for pause in back_off():
            try:
                return sorted(await self._producer.partitions_for(topic))
            except KafkaError as error:
                if isinstance(error, TopicAuthorizationFailedError):
                    raise _forbidden(topic) from error
                if not is_retriable(error):
                    raise PublishError(
                        f"topic {topic} cannot be written: {error!r}; "
                        "check that it exists (stream-detector topics check) and the rights"
                    ) from error
                self._count_retry(error)
                logger.warning("no metadata of topic %s (%s), trying again", topic, name_of(error))
                await asyncio.sleep(pause)
        raise AssertionError("back_off never ends")

    def _with_leaders(self, topic: str, partitions: list[int]) -> list[int]:
        """``partitions``, with those without a leader replaced by others, if any has one."""
        cluster = self._producer.client.cluster
        led = [
            number
            for number in partitions
            if leader_of(cluster, TopicPartition(topic, number)) is not None
        ]
        if not led:
            return partitions
        return [n if n in led else led[n % len(led)] for n in partitions]

    def _to_a_leader(self, parcel: _Parcel) -> _Parcel:
        """The same parcel, to another partition if its own has lost its leader."""
        every = sorted(self._producer.client.cluster.partitions_for_topic(parcel.topic) or ())
        if parcel.partition not in every:
            return parcel
        partition = self._with_leaders(parcel.topic, every)[every.index(parcel.partition)]
        if partition != parcel.partition:
            logger.warning(
                "partition %d of %s has no leader: its outputs go to others until it has one",
                parcel.partition,
                parcel.topic,
            )
        return parcel._replace(partition=partition)

    async def _send(self, parcel: _Parcel, room: _Room) -> None:
        """Send one partition's messages in as few record batches as they fit; await them all."""
        acknowledgements = []
        now = int(time.time() * 1000)
        sent = 0
        while sent < len(parcel.messages):
            await room.wait()
            batch = self._producer.create_batch()
            sent += fill(batch, islice(parcel.messages, sent, None), now)
            acknowledgements.append(await self._hand_over(batch, parcel, room))
        await asyncio.gather(*acknowledgements)

    async def _hand_over(
        self, batch: BatchBuilder, parcel: _Parcel, room: _Room
    ) -> asyncio.Future[object]:
        size = batch.size()
        room.take(size)
        try:
            acknowledgement: asyncio.Future[object] = await self._producer.send_batch(
                batch, parcel.topic, partition=parcel.partition
            )
        except BaseException:
            room.give_back(size)
            raise
        acknowledgement.add_done_callback(lambda _: room.give_back(size))
        return acknowledgement

    def _count_retry(self, *errors: BaseException) -> None:
        self._metrics.publish_retries.inc()
        for error in errors:
            self._metrics.count_error(error)

    def _again(self, parcel: _Parcel, error: BaseException) -> _Parcel:
        """The parcel to send next after ``error``; raises if nothing will help."""
        if is_retriable(error):
            return parcel
        if (
            isinstance(error, _TOO_LARGE)
            and parcel.topic == self._topics.dead_letters
            and len(parcel.messages) == 1
            and any(len(part or b"") > LETTER_SHORT_BYTES_MAX for part in parcel.messages[0][:2])
        ):
            return parcel._replace(messages=[_shortened(parcel.messages[0])])
        if not isinstance(error, KafkaError):
            raise error
        if isinstance(error, TopicAuthorizationFailedError):
            raise _forbidden(parcel.topic) from error
        raise PublishError(
            f"Kafka refused outputs for topic {parcel.topic}, partition {parcel.partition}: "
            f"{error!r}; check the topic's max.message.bytes"
        ) from error


def _forbidden(topic: str) -> PublishError:
    return PublishError(
        f"topic {topic} may not be written: give this worker's user the right WRITE; records whose "
        "outputs are not written stay uncommitted, and are read again"
    )


def fill(batch: BatchBuilder, messages: Iterable[Message], now: int) -> int:
    """Append as many of ``messages`` as fit, at least one; returns their number. ``now`` in ms.

    Fills aiokafka's inner builder directly, in less than half of the time: ``BatchBuilder.append``
    serialises and checks each message again. A test compares the bytes of both.
    """
    append = batch._builder.append
    count = 0
    for key, value, headers in messages:
        if append(count, now, key, value, headers) is None:
            break
        count += 1
    batch._relative_offset = count
    return count


def _shortened(message: Message) -> Message:
    """A dead letter cut to a size that any broker takes; its source position names the original."""
    key, value, headers = message
    key, value = key or b"", value or b""
    known = {name for name, _ in headers}
    notes = [
        (name, str(len(part)).encode())
        for name, part in ((VALUE_CUT_FROM, value), (KEY_CUT_FROM, key))
        if len(part) > LETTER_SHORT_BYTES_MAX and name not in known
    ]
    return key[:LETTER_SHORT_BYTES_MAX], value[:LETTER_SHORT_BYTES_MAX], [*headers, *notes]
