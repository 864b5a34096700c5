"""The answer of ``/readyz`` after the start: whether the worker works, and which part does not."""

from collections.abc import Collection
from typing import NamedTuple

from faust.types import TP

from stream_detector.kafka.group_watch import GroupMonitor
from stream_detector.kafka.input_topics import TopicMonitor
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.reachability import ReachMonitor


class Monitors(NamedTuple):
    """The monitors of a worker."""

    reach: ReachMonitor
    topics: TopicMonitor
    lag: LagMonitor
    group: GroupMonitor

    def faults(self) -> str:
        """All faults that they have found, in one text; empty without any."""
        return "; ".join(filter(None, (monitor.fault for monitor in self)))


def readiness(
    monitors: Monitors,
    *,
    assigned: Collection[TP],
    is_rebalancing: bool,
    stalled_seconds: float,
) -> tuple[bool, str]:
    """Whether the worker does at least a part of its work, and a sentence; any thread may call it.

    Lag without a commit for ``stalled_seconds`` is a stall. A worker that does its part is ready,
    and the sentence names the other faults: a restart would not mend them.
    """
    reach, topics, lag, _ = monitors
    obstacle = ""
    if reach.is_cut_off:
        obstacle = reach.fault
    elif topics.none_is_there:
        obstacle = topics.fault
    elif is_rebalancing:
        obstacle = reach.fault or "rebalancing"
    elif not assigned:
        obstacle = reach.fault or "no partitions assigned"
    elif lag.silent.issuperset(assigned):
        obstacle = reach.fault or lag.fault
    elif lag.stalled_for(stalled_seconds):
        obstacle = reach.fault or "lag and no commits"
    if obstacle:
        return False, obstacle
    faults = monitors.faults()
    return True, f"ready, but {faults}" if faults else "ready"
