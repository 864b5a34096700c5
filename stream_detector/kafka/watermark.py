"""Which offsets may be committed: the end of the acknowledged prefix, and nothing beyond it.

Chunks of a partition may be acknowledged in any order. Kafka keeps one offset per partition, and
after a crash the next worker reads from it. A committed offset beyond a chunk that is not
acknowledged would lose that chunk. So the watermark stops before the first gap, however many chunks
behind the gap are done.

Each partition has one ledger per assignment. When the partition is revoked, its ledger closes and
takes no acknowledgements: another worker may own the partition, and reads the unfinished chunks
again.
"""

from collections import deque
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Entry:
    """One delivered chunk: offsets ``[first_offset, next_offset)`` of one partition."""

    ledger: "PartitionLedger"
    first_offset: int
    next_offset: int
    records: int
    size: int
    """In bytes."""
    first_timestamp: int | None
    """Milliseconds since the epoch."""
    acknowledged: bool = False


class PartitionLedger:
    """Chunks of one partition in order of delivery, from the first that is not committed."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._committable: int | None = None
        self.committed_offset: int | None = None
        """Next offset to be read, as this ledger last committed; None before the first commit."""
        self.buffered_records = 0
        self.buffered_bytes = 0
        """Delivered and not yet acknowledged."""
        self.closed = False

    def deliver(
        self,
        *,
        first_offset: int,
        next_offset: int,
        records: int,
        size: int,
        first_timestamp: int | None = None,
    ) -> Entry:
        """Enter a chunk that is about to be delivered."""
        entry = Entry(self, first_offset, next_offset, records, size, first_timestamp)
        self._entries.append(entry)
        self.buffered_records += records
        self.buffered_bytes += size
        return entry

    def acknowledge(self, entry: Entry) -> bool:
        """Mark a chunk as done: its outputs are in Kafka. False if that no longer matters."""
        if self.closed or entry.acknowledged:
            return False
        entry.acknowledged = True
        self.buffered_records -= entry.records
        self.buffered_bytes -= entry.size
        # Only from the front: an acknowledged chunk behind a gap waits for the gap.
        while self._entries and self._entries[0].acknowledged:
            self._committable = self._entries.popleft().next_offset
        return True

    @property
    def committable_offset(self) -> int | None:
        """Next offset to be read if it is not committed yet; else None."""
        if self.closed or self._committable == self.committed_offset:
            return None
        return self._committable

    @property
    def first_offset(self) -> int | None:
        """Offset of the oldest delivered record beyond the acknowledged prefix."""
        return self._entries[0].first_offset if self._entries else None

    @property
    def oldest_timestamp(self) -> int | None:
        """Milliseconds since the epoch of the record at ``first_offset``."""
        return self._entries[0].first_timestamp if self._entries else None

    def committed(self, offset: int) -> None:
        """Note that Kafka has committed ``offset`` as the next to be read."""
        self.committed_offset = offset

    def close(self) -> None:
        """The partition is gone: forget everything, ignore later acknowledgements."""
        self.closed = True
        self._entries.clear()
        self.buffered_records = self.buffered_bytes = 0
