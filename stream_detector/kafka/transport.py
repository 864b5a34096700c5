"""A Faust transport that delivers a fetched chunk of one partition as one message.

Faust's aiokafka driver creates two tasks per message and acknowledges by offset, with a gap rule
that lets a later batch commit over an earlier one that failed. Here the unit is the chunk
(consecutive records of one partition): a message's value is a ``Delivery``, and offsets are
committed by watermark (``watermark.PartitionLedger``). Faust still owns the app, the agent,
the group membership and the rebalance.

The overrides here, in ``chunk_consumer``, ``consumer_thread`` and ``fetched`` depend on private
code of faust-streaming 0.15.3 and aiokafka 0.14, which offer no public way to the same behaviour.
``test_transport_contract`` pins each by name, signature and body, so that another version fails
there instead of losing records.
"""

import asyncio
import time
from collections.abc import Mapping
from itertools import chain
from typing import Any, ClassVar

import aiokafka
from faust.transport.drivers import aiokafka as driver

from stream_detector.kafka.chunk_consumer import ChunkConsumer
from stream_detector.kafka.consumer_thread import SERVICE_LOGGER, TransportHost
from stream_detector.kafka.leaders import (
    AnswerWatch,
    pace_metadata_updates,
    unconnected_of_producer,
)


class ChunkProducer(driver.Producer):
    """The driver's producer with the project's client options; ``publisher`` sends batches."""

    logger = SERVICE_LOGGER

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.answers = AnswerWatch(clock=time.monotonic)

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
        producer: aiokafka.AIOKafkaProducer = super()._new_producer(transactional_id)
        pace_metadata_updates(producer.client)
        return producer

    def _settings_default(self) -> Mapping[str, Any]:
        host: TransportHost = self.app
        return dict(host.producer_options)

    def _settings_auth(self) -> Mapping[str, Any]:
        return {}  # ``producer_options`` hold TLS and SASL; Faust's would override them.

    async def flush(self) -> None:
        """Do nothing: the publisher awaits its outputs, and a stop needs no others."""

    async def on_stop(self) -> None:
        """Stop at once: aiokafka would try to send the rest until that times out.

        No record is lost: those whose outputs are not confirmed stay uncommitted.
        """
        if self._producer is not None and (task := self._producer._sender.sender_task) is not None:
            left = self._producer._message_accumulator
            # aiokafka's callback removes a batch from the pending ones, so it has to be among them.
            left._pending_batches.update(chain(*left._batches.values()))
            for batch in list(left._pending_batches):
                batch.future.cancel()
            task.cancel()
            await asyncio.wait({task})
        await super().on_stop()

    @property
    def client(self) -> aiokafka.AIOKafkaProducer:
        """The started aiokafka producer."""
        return self._ensure_producer()

    def unconnected_brokers(self) -> set[str]:
        """``host:port`` of each broker that is needed and not connected; never waits."""
        if (producer := self._producer) is None:
            return set()
        self.answers.look(producer.client)
        return unconnected_of_producer(producer, silent=self.answers.silent)

    def refresh_metadata(self) -> None:
        """Make aiokafka ask which brokers lead what; by itself it does so after a failed send."""
        if self._producer is not None:
            self._producer.client.force_metadata_update()


class ChunkTransport(driver.Transport):
    """Plugs the chunk consumer into a Faust app: set it as ``app.transport``."""

    Consumer: ClassVar[type[ChunkConsumer]] = ChunkConsumer
    Producer: ClassVar[type[ChunkProducer]] = ChunkProducer
