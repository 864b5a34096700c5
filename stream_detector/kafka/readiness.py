"""What ``/readyz`` says of a worker that has started: whether it works, and which part does not."""

from collections.abc import Collection
from typing import NamedTuple

from faust.types import TP

from stream_detector.kafka.group_watch import GroupMonitor
from stream_detector.kafka.input_topics import TopicMonitor
from stream_detector.kafka.lag import LagMonitor
from stream_detector.kafka.reachability import ReachMonitor

__all__ = ["Monitors", "readiness"]


class Monitors(NamedTuple):
    """Those that look for what keeps a worker from its work."""

    reach: ReachMonitor
    topics: TopicMonitor
    lag: LagMonitor
    group: GroupMonitor

    def faults(self) -> str:
        """All that they have found; empty if that is nothing."""
        return "; ".join(filter(None, (monitor.fault for monitor in self)))


def readiness(
    monitors: Monitors,
    *,
    assigned: Collection[TP],
    is_rebalancing: bool,
    stalled_seconds: float,
) -> tuple[bool, str]:
    """Whether a part of the work goes on, and a sentence.

    A worker that does its part does not count as one that is down: it is ready, and the sentence
    says what else is wrong. May be called from any thread.

    Args:
        monitors: those of the worker.
        assigned: the partitions that it has.
        is_rebalancing: whether the group shares its partitions out now.
        stalled_seconds: lag without a commit for so long is a stall.
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
