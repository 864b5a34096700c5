"""Lag by partition, and the watchdog that knows idle from stalled."""

import pytest
from faust.types import TP

from stream_detector.errors import StalledError
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.watermark import PartitionLedger
from stream_detector.metrics import Metrics

ONE = TP("events", 0)


class Consumer:
    """What the monitor asks of a consumer, with offsets set by hand."""

    def __init__(self):
        self.ledgers = {ONE: PartitionLedger()}
        self.committed_offsets = {}
        self.buffered_records = 0
        self.buffered_bytes = 0
        self.assigned = {ONE}
        self.ends = {ONE: 0}
        self.positions = {ONE: 0}
        self.away = False

    def assignment(self):
        return set(self.assigned)

    async def highwaters(self, *partitions):
        if self.away:
            raise OSError("no broker")
        return self.ends

    def fetch_position(self, tp):
        return self.positions[tp]

    def deliver(self, until, timestamp):
        first, self.positions[ONE] = self.positions[ONE], until
        return self.ledgers[ONE].deliver(
            first_offset=first,
            next_offset=until,
            records=until - first,
            size=1,
            first_timestamp=timestamp,
        )


class Scene:
    def __init__(self):
        self.consumer = Consumer()
        self.metrics = Metrics()
        self.now = 1000.0
        self.monitor = LagMonitor(
            self.consumer,
            metrics=self.metrics,
            stall_timeout=60,
            clock=lambda: self.now,
            wall_clock=lambda: self.now,
        )

    def gauge(self, name):
        return self.metrics.registry.get_sample_value(
            f"stream_detector_{name}", {"topic": "events", "partition": "0"}
        )


@pytest.fixture
def scene():
    return Scene()


async def test_lag_counts_from_the_committed_offset_and_the_oldest_record(scene):
    entry = scene.consumer.deliver(until=40, timestamp=990_000)
    scene.consumer.ends[ONE] = 100
    scene.consumer.committed_offsets[ONE] = 10
    await scene.monitor.measure()
    assert (scene.gauge("lag_records"), scene.gauge("lag_seconds")) == (90, 10)
    assert (scene.gauge("committed_offset"), scene.gauge("end_offset")) == (10, 100)
    scene.consumer.ledgers[ONE].acknowledge(entry)
    scene.consumer.positions[ONE] = scene.consumer.committed_offsets[ONE] = 100
    await scene.monitor.measure()
    assert (scene.gauge("lag_records"), scene.gauge("lag_seconds")) == (0, 0)


async def test_lag_without_commits_is_a_stall_and_a_commit_ends_it(scene):
    scene.consumer.ends[ONE] = 100
    await scene.monitor.measure()
    scene.now += 61
    assert scene.monitor.stalled_for(60) == [ONE]
    scene.consumer.committed_offsets[ONE] = 5
    await scene.monitor.measure()
    assert scene.monitor.stalled_for(60) == []


async def test_an_idle_partition_never_stalls(scene):
    scene.consumer.positions[ONE] = scene.consumer.ends[ONE] = 100
    for _ in range(5):
        await scene.monitor.measure()
        scene.now += 50
    assert scene.monitor.stalled_for(60) == []


async def test_a_broker_that_is_away_is_no_stall(scene):
    scene.consumer.ends[ONE] = 100
    await scene.monitor.measure()
    scene.now += 59
    scene.consumer.away = True
    await scene.monitor.measure()
    scene.now += 600
    assert scene.monitor.stalled_for(60) == []


async def test_figures_go_while_kafka_does_not_tell_them_and_come_back(scene):
    figures = ("lag_records", "lag_seconds", "committed_offset", "end_offset")
    scene.consumer.ends[ONE] = 100
    await scene.monitor.measure()
    assert None not in [scene.gauge(name) for name in figures]
    scene.consumer.away = True
    await scene.monitor.measure()
    assert [scene.gauge(name) for name in figures] == [None] * 4
    assert scene.metrics.registry.get_sample_value("stream_detector_assigned_partitions") == 1
    scene.consumer.away = False
    await scene.monitor.measure()
    assert (scene.gauge("lag_records"), scene.gauge("end_offset")) == (100, 100)


async def test_partitions_whose_leader_is_away_are_named_and_hide_no_other(scene):
    more = [TP("events", number) for number in range(1, 5)]
    scene.consumer.assigned |= {*more}
    scene.consumer.positions |= dict.fromkeys(more, 0)
    await scene.monitor.measure()
    assert scene.monitor.silent == {*more}
    assert scene.gauge("lag_records") == 0
    assert scene.monitor.fault == (
        "no leader answers for 4 partitions (events:1, events:2, events:3 and 1 more): their "
        "records wait until a broker that has them is back"
    )
    scene.consumer.assigned = {ONE}
    await scene.monitor.measure()
    assert (scene.monitor.silent, scene.monitor.fault) == (frozenset(), "")
    scene.consumer.away = True
    await scene.monitor.measure()
    assert scene.monitor.silent == {ONE}


async def test_a_position_that_is_not_known_hides_the_figures_and_is_a_stall_in_the_end(scene):
    await scene.monitor.measure()
    scene.consumer.positions[ONE] = None
    await scene.monitor.measure()
    assert scene.gauge("lag_records") is None
    scene.now += 61
    assert scene.monitor.stalled_for(60) == [ONE]
    scene.consumer.assigned = set()
    await scene.monitor.measure()
    assert scene.monitor.stalled_for(60) == []


async def test_a_partition_that_went_takes_its_figures_along(scene):
    await scene.monitor.measure()
    assert scene.gauge("lag_records") == 0
    scene.consumer.assigned = set()
    await scene.monitor.measure()
    assert scene.gauge("lag_records") is None
    assert scene.metrics.registry.get_sample_value("stream_detector_assigned_partitions") == 0


async def test_the_watchdog_names_the_partition_that_stalls(scene):
    scene.consumer.ends[ONE] = 100
    await scene.monitor.measure()
    scene.now += 61
    with pytest.raises(StalledError, match=r"lag and no commit for 60 s on events\[0\]"):
        await scene.monitor.run(0.001)


async def test_what_waits_unfetched_counts_from_when_it_was_seen(scene):
    scene.consumer.ends[ONE] = 100
    await scene.monitor.measure()
    scene.now += 30
    await scene.monitor.measure()
    assert (scene.gauge("lag_records"), scene.gauge("lag_seconds")) == (100, 30)


async def test_a_new_group_lags_from_where_it_joined(scene):
    scene.consumer.positions[ONE], scene.consumer.ends[ONE] = 1_000_000, 1_000_050
    scene.consumer.deliver(until=1_000_040, timestamp=990_000)
    await scene.monitor.measure()
    assert (scene.gauge("committed_offset"), scene.gauge("lag_records")) == (1_000_000, 50)
