from hypothesis import given
from hypothesis import strategies as st

from stream_detector.kafka.watermark import PartitionLedger


def deliver(ledger, first, next_offset, timestamp=None):
    return ledger.deliver(
        first_offset=first,
        next_offset=next_offset,
        records=next_offset - first,
        size=10 * (next_offset - first),
        first_timestamp=timestamp,
    )


def test_nothing_is_committable_before_an_acknowledgement():
    ledger = PartitionLedger()
    deliver(ledger, 0, 5)
    assert ledger.committable_offset is None


def test_a_later_chunk_never_commits_over_an_earlier_one():
    ledger = PartitionLedger()
    first, second = deliver(ledger, 0, 5), deliver(ledger, 5, 9)
    ledger.acknowledge(second)
    assert ledger.committable_offset is None
    ledger.acknowledge(first)
    assert ledger.committable_offset == 9


def test_offset_zero_without_a_commit_is_handled_like_any_other():
    ledger = PartitionLedger()
    held, done = deliver(ledger, 0, 1), deliver(ledger, 1, 2)
    ledger.acknowledge(done)
    assert ledger.committable_offset is None
    ledger.acknowledge(held)
    assert ledger.committable_offset == 2


def test_compaction_gaps_between_chunks_do_not_stop_the_watermark():
    ledger = PartitionLedger()
    for entry in (deliver(ledger, 3, 10), deliver(ledger, 40, 41)):
        ledger.acknowledge(entry)
    assert ledger.committable_offset == 41


def test_a_committed_offset_is_not_committed_again():
    ledger = PartitionLedger()
    ledger.acknowledge(deliver(ledger, 0, 5))
    ledger.committed(5)
    assert ledger.committable_offset is None


def test_a_closed_ledger_takes_no_acknowledgement():
    ledger = PartitionLedger()
    entry = deliver(ledger, 0, 5)
    ledger.close()
    assert not ledger.acknowledge(entry)
    assert ledger.committable_offset is None
    assert ledger.buffered_records == ledger.buffered_bytes == 0


def test_an_entry_counts_once_however_often_it_is_acknowledged():
    ledger = PartitionLedger()
    entry = deliver(ledger, 0, 5)
    assert ledger.acknowledge(entry)
    assert not ledger.acknowledge(entry)
    assert ledger.buffered_records == 0


def test_oldest_timestamp_is_that_of_the_first_unacknowledged_chunk():
    ledger = PartitionLedger()
    first = deliver(ledger, 0, 5, timestamp=100)
    deliver(ledger, 5, 6, timestamp=200)
    assert ledger.oldest_timestamp == 100
    ledger.acknowledge(first)
    assert ledger.oldest_timestamp == 200


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.randoms())
def test_the_watermark_is_the_acknowledged_prefix_in_whatever_order(sizes, random):
    ledger = PartitionLedger()
    entries, offset = [], 0
    for size in sizes:
        entries.append(deliver(ledger, offset, offset + size))
        offset += size
    order = list(range(len(entries)))
    random.shuffle(order)
    done: set[int] = set()
    for index in order:
        ledger.acknowledge(entries[index])
        done.add(index)
        prefix = 0
        while prefix in done:
            prefix += 1
        expected = entries[prefix - 1].next_offset if prefix else None
        assert ledger.committable_offset == expected
        assert ledger.buffered_records == sum(
            size for position, size in enumerate(sizes) if position not in done
        )
