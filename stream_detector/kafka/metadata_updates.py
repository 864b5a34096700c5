"""aiokafka's questions for which broker leads what: not too many, and none that waits for long.

While a partition has no leader aiokafka asks as fast as it is answered, hundreds of times a second;
and it waits 40 s for a broker that takes connections and does not answer, while others would.
"""

import asyncio
import time

from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

__all__ = ["pace_metadata_updates"]

_APART_SECONDS = 0.2
_ANSWER_SECONDS = 4.0
"""After so long another broker is asked, chosen at random."""


def pace_metadata_updates(client: AIOKafkaClient) -> None:
    """Bound how often ``client`` asks, and how long it waits for an answer."""
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
