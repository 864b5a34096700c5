"""When a retraining is due."""

from datetime import timedelta

import pytest

from support.labels import NOON
from trainer.watching.schedule import Attempt, Schedule, new_labels

DAILY = Schedule(timedelta(days=1), 50)
LAST = Attempt(NOON, 100, "refused")


@pytest.mark.parametrize(
    ("schedule", "labels", "last", "hours", "due"),
    [
        (DAILY, 0, None, 900, False),
        (DAILY, 1, None, 23, False),
        (DAILY, 1, None, 24, True),
        (DAILY, 50, None, 0, True),
        (DAILY, 100, LAST, 900, False),
        (DAILY, 101, LAST, 23, False),
        (DAILY, 101, LAST, 24, True),
        (DAILY, 149, LAST, 0, False),
        (DAILY, 150, LAST, 0, True),
        (DAILY._replace(new_labels=0), 9999, LAST, 23, False),
        (DAILY._replace(new_labels=0), 101, LAST, 24, True),
        # The store was begun anew.
        (DAILY, 49, LAST, 23, False),
        (DAILY, 50, LAST, 0, True),
        (DAILY, 1, LAST, 24, True),
    ],
)
def test_it_is_due_with_enough_new_labels_or_with_any_after_the_time(
    schedule, labels, last, hours, due
):
    now = NOON + timedelta(hours=hours)
    assert schedule.is_due(labels=labels, last=last, since=NOON, now=now) is due


def test_new_labels_are_those_that_the_last_retraining_did_not_have():
    assert [new_labels(7, None), new_labels(107, LAST), new_labels(3, LAST)] == [7, 7, 3]
