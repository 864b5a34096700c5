"""Plays a failure: causes it, waits for its alerts, ends it, waits until they resolve."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from night.alerts import Fired
from night.shipped import Inhibition
from night.world import World

__all__ = ["Failure", "Outcome", "judge", "play"]

_CALM_SECONDS = 60.0
_SETTLE_SECONDS = 3.0
_NOTICE_SECONDS = 3.0
"""Alertmanager's ``group_wait``, shortened: an alert that mutes another may come so much later."""


@dataclass(frozen=True)
class Failure:
    """One failure, or one calm stretch, and what has to be told of it."""

    name: str
    """For ``--only``."""
    text: str
    """What happens."""
    world: str
    """The name of its parts."""
    cause: Callable[[World], AbstractContextManager[object]]
    """It begins when the block is entered, and has ended when it is left."""
    expected: Sequence[str] = ()
    """Alerts that have to fire, ``A|B`` where either tells the truth; none: it has to be calm."""
    also: Collection[str] = ()
    """Others that may fire, as they are true as well."""
    within: float = 90.0
    """Seconds in which the alerts have to fire; of a calm stretch, how long it is watched."""
    resolves_within: float = 90.0
    """Seconds."""
    lasts: Collection[str] = ()
    """Alerts that fire on for their window, which is longer than anybody waits for here."""
    starts_by_itself: bool = False
    """It starts the workers, which do not run before."""

    @property
    def alerts(self) -> set[str]:
        """All names in ``expected``."""
        return {name for names in self.expected for name in names.split("|")}


@dataclass
class Outcome:
    """What came of a failure."""

    failure: Failure
    fired: list[Fired] = field(default_factory=list)
    """Alerts that were expected, the first of each name."""
    missed: list[str] = field(default_factory=list)
    others: list[Fired] = field(default_factory=list)
    """Alerts that may fire as well, and those that Alertmanager keeps from everybody."""
    false: list[Fired] = field(default_factory=list)
    unresolved: list[Fired] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    """Both as ``time.monotonic`` has them."""
    error: str = ""
    """Why it could not be played."""

    @property
    def is_good(self) -> bool:
        """Nothing missed, nothing false, and over when it was over."""
        return not (self.missed or self.false or self.unresolved or self.error)


def play(failure: Failure, world: World, inhibitions: Sequence[Inhibition]) -> Outcome:
    """Cause ``failure`` in ``world``, and judge the alerts."""
    seen = len(world.alerts.fired)
    world.say(f"--- {failure.text}")
    began = time.monotonic()

    def fired() -> list[Fired]:
        return world.alerts.fired[seen:]

    def all_fired() -> bool:
        return bool(failure.expected) and not _missed(failure, fired())

    with failure.cause(world):
        world.wait(all_fired, seconds=failure.within, state=f"{failure.text}: goes on")
    ended = time.monotonic()

    def over() -> bool:
        return all(alert.resolved_at or alert.name in failure.lasts for alert in fired())

    if failure.expected:
        seconds = failure.resolves_within
        world.wait(over, seconds=seconds, state=f"{failure.text}: has ended")
    # What is about to fire belongs to this failure, and not to the next.
    before = world.alerts.pending
    world.wait(
        lambda: not world.alerts.pending,
        seconds=_CALM_SECONDS,
        state=f"{failure.text}: has ended; pending: {', '.join(sorted(before)) or 'none'}",
    )
    settled = time.monotonic() + _SETTLE_SECONDS
    world.wait(lambda: time.monotonic() > settled, seconds=_SETTLE_SECONDS, state="settling")
    outcome = judge(failure, fired(), world.alerts.fired, inhibitions)
    outcome.began, outcome.ended = began, ended
    return outcome


def judge(
    failure: Failure,
    fired: Sequence[Fired],
    around: Sequence[Fired],
    inhibitions: Sequence[Inhibition],
) -> Outcome:
    """Sort the alerts that ``fired`` in a failure; ``around`` has those too that fired before."""
    outcome = Outcome(failure, missed=_missed(failure, fired))
    for alert in fired:
        if alert.name in failure.alerts:
            if alert.name not in {other.name for other in outcome.fired}:
                outcome.fired.append(alert)
            if alert.resolved_at is None and alert.name not in failure.lasts:
                outcome.unresolved.append(alert)
        elif alert.name in failure.also or _is_muted(alert, around, inhibitions):
            outcome.others.append(alert)
        else:
            outcome.false.append(alert)
    return outcome


def _missed(failure: Failure, fired: Sequence[Fired]) -> list[str]:
    names = {alert.name for alert in fired}
    return [each for each in failure.expected if not names & set(each.split("|"))]


def _is_muted(alert: Fired, around: Sequence[Fired], inhibitions: Sequence[Inhibition]) -> bool:
    return any(
        inhibition.mutes(source.labels, alert.labels)
        for inhibition in inhibitions
        for source in around
        if source.fires_at(alert.at) or source.fires_at(alert.at + _NOTICE_SECONDS)
    )
