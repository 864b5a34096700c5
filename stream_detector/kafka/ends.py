"""Where partitions end, as far as the brokers that lead them answer."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

import aiokafka
from faust.types import TP

__all__ = ["known_ends"]


async def known_ends(
    consumer: aiokafka.AIOKafkaConsumer, partitions: Iterable[TP], *, seconds: float
) -> Mapping[TP, int]:
    """The next offset to be written of each partition whose leader tells it within ``seconds``.

    aiokafka's own ``end_offsets`` gives none where one leader of many is away.
    """
    by_leader: defaultdict[int | None, list[TP]] = defaultdict(list)
    for partition in partitions:
        by_leader[consumer._client.cluster.leader_for_partition(partition)].append(partition)
    answers = await asyncio.gather(
        *(asyncio.wait_for(consumer.end_offsets(led), seconds) for led in by_leader.values()),
        return_exceptions=True,
    )
    known = (answer.items() for answer in answers if not isinstance(answer, BaseException))
    return {TP(*partition): end for partition, end in chain.from_iterable(known)}
