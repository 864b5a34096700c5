"""Where partitions end, as far as the brokers that lead them answer."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

import aiokafka
from faust.types import TP

from stream_detector.kafka.leaders import leader_of

__all__ = ["known_ends"]

_END = -1
"""ListOffsets: the next offset to be written."""


async def known_ends(
    consumer: aiokafka.AIOKafkaConsumer, partitions: Iterable[TP], *, seconds: float
) -> Mapping[TP, int]:
    """The next offset to be written of each partition whose leader answers within ``seconds``.

    aiokafka's own ``end_offsets`` gives none where one leader of many is away, and first waits for
    a metadata update, which a broker that hangs holds back.
    """
    client = consumer._client
    by_leader: defaultdict[int | None, list[TP]] = defaultdict(list)
    for partition in partitions:
        by_leader[leader_of(client.cluster, partition)].append(partition)
    without_leader = by_leader.pop(None, [])
    answers = await asyncio.gather(
        *(
            asyncio.wait_for(_ends_told_by(consumer, leader, led), seconds)
            for leader, led in by_leader.items()
        ),
        return_exceptions=True,
    )
    known = (answer.items() for answer in answers if not isinstance(answer, BaseException))
    if without_leader or any(isinstance(answer, Exception) for answer in answers):
        client.force_metadata_update()  # Another broker may lead them by now.
    return {TP(*partition): end for partition, end in chain.from_iterable(known)}


async def _ends_told_by(
    consumer: aiokafka.AIOKafkaConsumer, leader: int | None, partitions: Iterable[TP]
) -> Mapping[TP, int]:
    wanted: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, number in partitions:
        wanted[topic].append((number, _END))
    found = await consumer._fetcher._proc_offset_request(leader, wanted)
    return {partition: end for partition, (end, _) in found.items()}
