"""Queues of chunks, one a partition: partitions take turns of up to ``TURN_BYTES`` each.

A flood on one partition therefore delays no other. Turns count bytes, not chunks: a partition with
few records gives many small chunks, and would fall behind with one chunk a turn.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream_detector.events import Chunk
from stream_detector.limits import TURN_BYTES

Lane = tuple[str, int]
"""Topic and partition."""


class Work(NamedTuple):
    """A chunk, and the callback for when all its outputs are published."""

    chunk: Chunk
    size: int
    """Bytes of memory."""
    acknowledge: Callable[[], object]

    @property
    def lane(self) -> Lane:
        """The partition that the chunk comes from."""
        return self.chunk.topic, self.chunk.partition


class Lanes:
    """A queue of chunks for each partition, which take turns."""

    def __init__(self) -> None:
        self._waiting: dict[Lane, deque[Work]] = {}
        """The lane that has the turn comes first; a lane without chunks has no entry."""
        self._held: set[Lane] = set()
        self._turn: Lane | None = None
        self._given = 0
        """Bytes that ``_turn`` has given in this turn."""
        self.records = 0
        self.bytes = 0

    def __bool__(self) -> bool:
        """Whether ``take`` would give a chunk."""
        return not self._waiting.keys() <= self._held

    def put(self, work: Work) -> None:
        """Queue a chunk behind those of its partition."""
        self._waiting.setdefault(work.lane, deque()).append(work)
        self._count(work, 1)

    def put_back(self, works: Sequence[Work]) -> None:
        """Queue ``works``, which ``take`` gave, before all others, in their order."""
        for work in reversed(works):
            queue = self._waiting.pop(work.lane, deque())
            queue.appendleft(work)
            self._waiting = {work.lane: queue, **self._waiting}
            self._count(work, 1)
        self._turn = None

    def take(self) -> Work | None:
        """The next chunk of the partition that has the turn; None if no lane can give one."""
        lane = next((lane for lane in self._waiting if lane not in self._held), None)
        if lane is None:
            return None
        queue = self._waiting[lane]
        work = queue.popleft()
        self._count(work, -1)
        self._given = work.size + (self._given if lane == self._turn else 0)
        self._turn = lane
        if not queue:
            del self._waiting[lane]
        elif self._given >= TURN_BYTES:
            self._waiting[lane] = self._waiting.pop(lane)
            self._turn = None
        return work

    def pass_turn(self, lane: Lane) -> None:
        """End the turn of ``lane``: all others come before its next chunk."""
        self._turn = None
        if lane in self._waiting:
            self._waiting[lane] = self._waiting.pop(lane)

    def hold(self, lane: Lane) -> None:
        """Give no chunk of ``lane`` until ``release``: its open chunk ends first."""
        self._held.add(lane)

    def release(self, lane: Lane) -> None:
        """Give chunks of ``lane`` again."""
        self._held.discard(lane)

    def clear(self) -> None:
        """Drop all waiting chunks."""
        self._waiting.clear()
        self.records = self.bytes = 0

    def _count(self, work: Work, sign: int) -> None:
        self.records += sign * len(work.chunk.records)
        self.bytes += sign * work.size
