"""When a retraining is due."""

from datetime import datetime, timedelta
from typing import NamedTuple

from trainer.watching.state import Attempt

__all__ = ["Schedule", "new_labels"]


def new_labels(labels: int, last: Attempt | None) -> int:
    """How many of so many ``labels`` the last retraining did not have.

    Where there are fewer than it had the store was begun anew, and all count.
    """
    return labels - last.labels if last is not None and last.labels <= labels else labels


class Schedule(NamedTuple):
    """Due with so many new labels, or with any after so long; never without a new one."""

    every: timedelta
    new_labels: int
    """0: by time alone."""

    def is_due(self, *, labels: int, last: Attempt | None, since: datetime, now: datetime) -> bool:
        """Whether to retrain now.

        Args:
            labels: how many there are.
            last: the last retraining, if there was one.
            since: when the watch began.
            now: the time.
        """
        new = new_labels(labels, last)
        if new <= 0:
            return False
        enough = self.new_labels > 0 and new >= self.new_labels
        return enough or now - (last.at if last else since) >= self.every
