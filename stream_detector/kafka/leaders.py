"""Which broker leads a partition, where partitions end, and how often aiokafka asks for leaders."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

_NO_LEADER = -1
_END = -1
"""ListOffsets: the next offset to be written."""
_APART_SECONDS = 0.2
_ANSWER_SECONDS = 4.0
"""After this time the client asks another broker, chosen at random."""


def leader_of(cluster: ClusterMetadata, partition: TopicPartition) -> int | None:
    """The id of the leading broker; None if the client knows no leader of ``partition``."""
    leader: int | None = cluster.leader_for_partition(partition)
    return None if leader == _NO_LEADER else leader


async def known_ends(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], *, seconds: float
) -> Mapping[TopicPartition, int]:
    """The next offset to be written of each partition whose leader answers within ``seconds``.

    aiokafka's own ``end_offsets`` returns nothing while one leader of many is away, and first waits
    for a metadata update, which a frozen broker delays.
    """
    client = consumer._client
    by_leader: defaultdict[int | None, list[TopicPartition]] = defaultdict(list)
    for partition in partitions:
        by_leader[leader_of(client.cluster, partition)].append(partition)
    without_leader = by_leader.pop(None, [])
    answers = await asyncio.gather(
        *(
            asyncio.wait_for(_ends_from(consumer, leader, led), seconds)
            for leader, led in by_leader.items()
        ),
        return_exceptions=True,
    )
    known = (answer.items() for answer in answers if not isinstance(answer, BaseException))
    if without_leader or any(isinstance(answer, Exception) for answer in answers):
        client.force_metadata_update()  # Another broker may lead them by now.
    return dict(chain.from_iterable(known))


async def _ends_from(
    consumer: AIOKafkaConsumer, leader: int | None, partitions: Iterable[TopicPartition]
) -> Mapping[TopicPartition, int]:
    wanted: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, number in partitions:
        wanted[topic].append((number, _END))
    found = await consumer._fetcher._proc_offset_request(leader, wanted)
    return {partition: end for partition, (end, _) in found.items()}


def pace_metadata_updates(client: AIOKafkaClient) -> None:
    """Bound how often ``client`` asks for leaders, and how long it waits for one broker.

    aiokafka 0.14 asks hundreds of times a second while a partition has no leader, and waits 40 s
    for a broker that accepts connections without answering, while other brokers would answer.
    """
    update = client._metadata_update
    asked_at = 0.0

    async def update_paced(cluster: ClusterMetadata, topics: set[str] | None) -> bool:
        nonlocal asked_at
        await asyncio.sleep(max(0.0, asked_at + _APART_SECONDS - time.monotonic()))
        asked_at = time.monotonic()
        try:
            updated: bool = await asyncio.wait_for(update(cluster, topics), _ANSWER_SECONDS)
        except TimeoutError:
            cluster.failed_update(None)
            return False
        return updated

    client._metadata_update = update_paced
