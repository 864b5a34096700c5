"""Which Kafka errors pass by themselves, and how long to wait before the next try."""

import random
from collections.abc import Iterator

from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    NoBrokersAvailable,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
)

# aiokafka marks these as final, though they end when the broker is back.
_PASSING = (
    KafkaTimeoutError,
    NoBrokersAvailable,
    NotEnoughReplicasError,
    NotEnoughReplicasAfterAppendError,
)

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 5.0


def is_retriable(error: BaseException) -> bool:
    """Whether the same request may succeed later by itself, as when a broker is away."""
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, _PASSING)
    return isinstance(error, (ConnectionError, TimeoutError))


def name_of(error: BaseException) -> str:
    """Kafka's own name of an error, such as NOT_ENOUGH_REPLICAS, if it has one."""
    return getattr(error, "message", "") or type(error).__name__


def back_off() -> Iterator[float]:
    """Seconds to wait before each further try: doubling to 5 s, with jitter of a quarter."""
    seconds = _FIRST_SECONDS
    while True:
        yield seconds * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
        seconds = min(seconds * 2, _LONGEST_SECONDS)
