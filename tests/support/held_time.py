"""A clock and timers that a test holds."""

from collections.abc import Callable

__all__ = ["HeldTime"]


class HeldTime:
    """Time that passes when the test says so; ``now`` in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def clock(self) -> float:
        """The time now."""
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back when so much time has passed."""
        self.timers.append((self.now + seconds, callback))

    def wait(self, seconds: float) -> None:
        """Let time pass, and the timers run that are due."""
        self.now += seconds
        due = [callback for time, callback in self.timers if time <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for callback in due:
            callback()
