"""Which offsets may be committed: the end of the acknowledged prefix, and nothing beyond it.

Pure bookkeeping for the chunk transport, one ledger a partition and assignment. A ledger that
is closed (its partition was revoked) takes no more acknowledgements: what was in flight replays.
"""

from collections import deque

__all__ = ["Entry", "PartitionLedger"]


class Entry:
    """One delivered chunk: offsets ``[first_offset, next_offset)`` of one partition."""

    __slots__ = (
        "acknowledged",
        "first_offset",
        "first_timestamp",
        "ledger",
        "next_offset",
        "records",
        "size",
    )

    def __init__(
        self,
        ledger: "PartitionLedger",
        *,
        first_offset: int,
        next_offset: int,
        records: int,
        size: int,
        first_timestamp: int | None,
    ) -> None:
        self.ledger = ledger
        self.first_offset = first_offset
        self.next_offset = next_offset
        self.records = records
        self.size = size
        self.first_timestamp = first_timestamp
        self.acknowledged = False


class PartitionLedger:
    """Chunks of one partition in order of delivery, from the first that is not committed."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._committable: int | None = None
        self.committed_offset: int | None = None
        """Next offset to be read, as last committed by this ledger; None before the first."""
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
        """Note a chunk that is about to be delivered; ``size`` in bytes, timestamp in ms."""
        entry = Entry(
            self,
            first_offset=first_offset,
            next_offset=next_offset,
            records=records,
            size=size,
            first_timestamp=first_timestamp,
        )
        self._entries.append(entry)
        self.buffered_records += records
        self.buffered_bytes += size
        return entry

    def acknowledge(self, entry: Entry) -> bool:
        """Mark a chunk as done: its outputs are in Kafka. False where it no longer matters."""
        if self.closed or entry.acknowledged:
            return False
        entry.acknowledged = True
        self.buffered_records -= entry.records
        self.buffered_bytes -= entry.size
        while self._entries and self._entries[0].acknowledged:
            self._committable = self._entries.popleft().next_offset
        return True

    @property
    def committable_offset(self) -> int | None:
        """Next offset to be read if it may be committed and is not yet; else None."""
        if self.closed or self._committable == self.committed_offset:
            return None
        return self._committable

    @property
    def first_offset(self) -> int | None:
        """Offset of the oldest record delivered and not yet in the acknowledged prefix."""
        return self._entries[0].first_offset if self._entries else None

    @property
    def oldest_timestamp(self) -> int | None:
        """Milliseconds since the epoch of the oldest record not yet acknowledged."""
        return self._entries[0].first_timestamp if self._entries else None

    def committed(self, offset: int) -> None:
        """Note that Kafka holds ``offset`` as the next to be read."""
        self.committed_offset = offset

    def close(self) -> None:
        """The partition is gone: forget everything, ignore what is acknowledged later."""
        self.closed = True
        self._entries.clear()
        self.buffered_records = self.buffered_bytes = 0
