"""What is done next, and to whom: drawn at random from what may be done now."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from storm.brokers import Brokers
from storm.fleet import Fleet, State, Worker

__all__ = ["ACTIONS", "ActionSchedule"]

ACTIONS: Mapping[str, int] = {
    "SIGKILL": 5,
    "SIGTERM": 4,
    "SIGSTOP": 3,
    "broker killed": 3,
    "broker restarted": 1,
    "join": 3,
    "leave": 2,
}
"""How often each is drawn, to the others. A worker that leaves ends by SIGTERM."""

_CALM_SECONDS = (2.0, 9.0)
"""Between two actions."""
_PAUSE_SECONDS = (5.0, 30.0)
_RETURN_SECONDS = (0.0, 8.0)
"""Until the supervisor starts again what has ended."""
_OUTAGE_SECONDS = (3.0, 20.0)
_DRAWS = 5
"""Until one may be done now; a lull where none may."""
_EARLY = 0.2
"""Share of the draws that may strike a worker which is not ready, or not again."""
_RECKLESS = 0.1
"""Share of the actions on workers that need no other worker to be ready."""


class ActionSchedule:
    """Acts on workers and brokers at random times; keeps count of what it did.

    The same ``seed`` draws the same, but what may be done depends on how fast workers start.
    """

    def __init__(self, fleet: Fleet, brokers: Brokers, *, workers: int, seed: int) -> None:
        """At most ``workers`` run at a time, and one less when one has left."""
        self._fleet = fleet
        self._brokers = brokers
        self._workers = workers
        self._random = random.Random(seed)
        self._next: float | None = None
        self.counts: Counter[str] = Counter()

    def draw_return_after(self) -> float:
        """Seconds until a worker that ended is started again."""
        return self._random.uniform(*_RETURN_SECONDS)

    def act(self, now: float) -> str | None:
        """Do what is due at ``now``, and say what it was."""
        if self._next is None:
            self._next = now + self._random.uniform(*_CALM_SECONDS)
        if now < self._next:
            return None
        self._next = now + self._random.uniform(*_CALM_SECONDS)
        for _ in range(_DRAWS):
            action = self._random.choices(list(ACTIONS), list(ACTIONS.values()))[0]
            done = self._do(action)
            if done is not None:
                self.counts[action] += 1
                return done
        return None

    def _do(self, action: str) -> str | None:
        """What was done; None where it may not be done now."""
        fleet = self._fleet
        if action in {"broker killed", "broker restarted"}:
            return self._take_broker(orderly=action == "broker restarted")
        if action == "join":
            return f"join {fleet.start().name}" if fleet.wanted < self._workers else None
        worker = self._victim(of_sigterm=action in {"SIGTERM", "leave"})
        if worker is None:
            return None
        if action == "leave":
            if fleet.wanted < max(2, self._workers):
                return None
            fleet.terminate(worker, comes_back=False)
        elif action == "SIGTERM":
            fleet.terminate(worker)
        elif action == "SIGKILL":
            fleet.kill(worker)
        else:
            seconds = self._random.uniform(*_PAUSE_SECONDS)
            fleet.pause(worker, seconds)
            return f"SIGSTOP {worker.name} for {seconds:.0f} s"
        return f"{action} {worker.name}"

    def _take_broker(self, *, orderly: bool) -> str | None:
        if not self._brokers.are_calm:
            return None
        number = self._random.randrange(len(self._brokers.cluster.brokers))
        seconds = self._random.uniform(*_OUTAGE_SECONDS)
        self._brokers.take_away(number, seconds=seconds, orderly=orderly)
        how = "stopped" if orderly else "killed"
        return f"broker {number + 1} {how} for {seconds:.0f} s"

    def _victim(self, *, of_sigterm: bool) -> Worker | None:
        """Whom to strike: one that another can stand in for, and now and then just any.

        Mostly one that has work under way, not one that has yet to start.
        """
        states = {State.READY}
        if self._random.random() < _EARLY:
            states.add(State.STARTING)
        candidates: Sequence[Worker] = [
            worker
            for worker in self._fleet.workers
            # Python needs half a second before any program can catch a signal.
            if worker.state in states and (worker.was_ready or not of_sigterm)
        ]
        if not candidates:
            return None
        worker = self._random.choice(candidates)
        others = self._fleet.counted(State.READY) - (worker.state is State.READY)
        return worker if others or self._random.random() < _RECKLESS else None
