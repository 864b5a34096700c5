"""How often aiokafka asks which broker leads what, while nobody can tell it."""

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from kafka import KafkaAdminClient

from stream_detector.kafka.leaders import pace_metadata_updates

pytestmark = pytest.mark.kafka

_SECONDS = 1.5


class Finishing(ConsumerRebalanceListener):  # type: ignore[misc]
    """As a worker that finishes what it has read before it gives its partitions back."""

    async def on_partitions_revoked(self, revoked: object) -> None:
        await asyncio.sleep(_SECONDS)

    async def on_partitions_assigned(self, assigned: object) -> None:
        """Nothing."""


async def test_a_topic_that_was_deleted_is_asked_for_in_measure(kafka, topics) -> None:
    topic = topics("deleted")
    updates: list[object] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=uuid.uuid4().hex,
        enable_auto_commit=False,
    )
    pace_metadata_updates(consumer._client)
    async with consumer:
        consumer.subscribe([topic], listener=Finishing())
        await consumer.getmany(timeout_ms=500)
        consumer._client.cluster.add_listener(updates.append)
        with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
            admin.delete_topics([topic])
        await asyncio.sleep(_SECONDS)

    print(f"{len(updates)} updates in {_SECONDS} s")
    # aiokafka alone: more than a thousand in a second.
    assert len(updates) <= 30
