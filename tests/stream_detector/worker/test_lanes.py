"""Partitions take turns by bytes: neither large chunks nor many small ones hold up the others."""

from stream_detector.events import Chunk
from stream_detector.limits import TURN_BYTES
from stream_detector.worker.lanes import Lanes, Work


def work(partition: int, size: int) -> Work:
    return Work(Chunk("topic", partition, []), size, lambda: None)


def taken_works(lanes: Lanes, count: int) -> list[Work]:
    """As many, or all there are."""
    works = [lanes.take() for _ in range(count)]
    return [each for each in works if each is not None]


def taken(lanes: Lanes, count: int) -> list[int]:
    return [each.chunk.partition for each in taken_works(lanes, count)]


def test_partitions_with_large_chunks_give_one_each_in_turn():
    lanes = Lanes()
    for partition in (1, 1, 1, 2, 2, 3):
        lanes.put(work(partition, TURN_BYTES))
    assert taken(lanes, 9) == [1, 2, 3, 1, 2, 1]
    assert (lanes.records, lanes.bytes) == (0, 0)


def test_small_chunks_of_a_partition_are_one_turn_up_to_its_bytes():
    lanes = Lanes()
    for _ in range(6):
        lanes.put(work(1, TURN_BYTES // 4))
    lanes.put(work(2, TURN_BYTES))
    assert taken(lanes, 9) == [1, 1, 1, 1, 2, 1, 1]


def test_a_partition_of_small_chunks_does_not_fall_behind_one_of_large_chunks():
    lanes = Lanes()
    for _ in range(100):
        lanes.put(work(1, 4 * TURN_BYTES))
    for round_number in range(50):
        for _ in range(10):
            lanes.put(work(2, 1_000))
        # As long as a batch of two large chunks takes, so many small ones arrive.
        large = 0
        given = []
        while large < 2:
            (partition,) = taken(lanes, 1)
            given.append(partition)
            large += partition == 1
        assert given.count(2) == 10, round_number


def test_chunks_that_are_put_back_come_first_and_in_their_order():
    lanes = Lanes()
    for partition, size in ((1, TURN_BYTES), (1, 5), (2, 1), (2, 2), (3, 3)):
        lanes.put(work(partition, size))
    first, *rest = taken_works(lanes, 4)
    assert [each.size for each in (first, *rest)] == [TURN_BYTES, 1, 2, 3]
    lanes.put_back(rest)
    assert [each.size for each in taken_works(lanes, 9)] == [1, 2, 3, 5]


def test_a_held_partition_gives_nothing_and_its_turn_starts_over():
    lanes = Lanes()
    for partition in (1, 1, 2):
        lanes.put(work(partition, 1))
    lanes.hold(("topic", 1))
    assert taken(lanes, 9) == [2]
    lanes.release(("topic", 1))
    assert taken(lanes, 9) == [1, 1]


def test_a_partition_that_passes_its_turn_comes_behind_the_others():
    lanes = Lanes()
    for partition in (1, 1, 2, 3):
        lanes.put(work(partition, 1))
    lanes.pass_turn(("topic", 1))
    assert taken(lanes, 9) == [2, 3, 1, 1]
