"""What a look at the consumer group shows, and for how long."""

import math
from collections.abc import Collection

import pytest
from aiokafka.structs import TopicPartition

from stream_detector.kafka.group_members import GroupView, Member
from stream_detector.kafka.readiness import GroupMonitor
from stream_detector.metrics import Metrics

PATIENCE = 80.0


class Group:
    """A consumer that gives the view it has, or none."""

    def __init__(self) -> None:
        self.view: GroupView | None = None
        self.now = 1_000.0
        self.metrics = Metrics()
        self.monitor = GroupMonitor(
            "detectors",
            ["urls"],
            lambda: self,
            metrics=self.metrics,
            patience=PATIENCE,
            clock=lambda: self.now,
        )

    async def view_of_group(self, topics: Collection[str]) -> GroupView:
        if self.view is None:
            raise ConnectionError("Kafka is away")
        return self.view

    async def look(self, view: GroupView | None, *, after: float = 0.0) -> None:
        self.view = view
        self.now += after
        await self.monitor.look()

    def shown(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"stream_detector_{name}", labels)


def member(*partitions: int, is_detector: bool = True) -> Member:
    return Member(
        "worker-1 at 10.0.0.7",
        is_detector,
        frozenset(TopicPartition("urls", partition) for partition in partitions),
    )


def view(*members: Member) -> GroupView:
    return GroupView(list(members), {"urls": 3})


REBALANCING = GroupView(None, {"urls": 3})


@pytest.fixture
def group() -> Group:
    return Group()


async def test_partitions_that_nobody_owns_are_a_fault_after_the_time_of_a_rebalance(group):
    await group.look(view(member(0, 2)))
    assert group.monitor.fault == ""
    await group.look(view(member(0, 2)), after=PATIENCE)

    assert group.monitor.fault == (
        "no detector of group detectors has owned 1 of 3 partitions of urls for 80 s or more: "
        "look for workers that hang, and restart them"
    )
    assert group.shown("owned_partitions", topic="urls") == 2
    await group.look(view(member(0, 1, 2)))
    assert group.monitor.fault == ""


async def test_a_rebalance_that_does_not_end_is_a_fault_too(group):
    await group.look(REBALANCING)
    await group.look(REBALANCING, after=PATIENCE - 1)
    assert group.monitor.fault == ""
    await group.look(REBALANCING, after=1)
    assert "has owned all partitions for 80 s" in group.monitor.fault


async def test_what_was_seen_a_minute_ago_is_not_shown_any_more(group):
    await group.look(view(member(0, 1), member(2, is_detector=False)))
    assert "1 member that is no detector (worker-1 at 10.0.0.7 with 1 part" in group.monitor.fault
    await group.look(None, after=59)
    assert group.shown("foreign_members") == 1
    await group.look(None, after=1)
    assert math.isnan(group.shown("foreign_members"))
    assert group.shown("owned_partitions", topic="urls") is None
    await group.look(view(member(0, 1, 2)))
    assert group.shown("foreign_members") == 0
    assert group.shown("owned_partitions", topic="urls") == 3
