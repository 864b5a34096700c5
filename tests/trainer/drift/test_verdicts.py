"""Verdicts as they are read: what is counted, and what is left out."""

from datetime import timedelta

import pytest

from support.compared import RECENT, UNKNOWN, drift_of, low
from support.drifting import END, verdict_record
from trainer.drift.verdicts import Verdicts


def test_verdicts_of_lists_and_malformed_records_are_counted_and_left_out():
    listed = verdict_record(
        "a.example/x",
        "a.example",
        hours_ago=1,
        model=UNKNOWN,
        score=None,
        verdict="malicious",
        reason="deny_list",
    )
    damaged = [(END, value) for value in (b"", b"{}", b"\xff", b"[" * 100_000, b"null")]
    impossible = (END, listed[1].replace(b'"score":null', b'"score":2.5'))
    found = drift_of([listed, impossible, *damaged], low("b.example", 1, RECENT))
    assert (found.by_list, found.malformed) == (1, 6)
    assert found.models[0].recent.verdicts == 1


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_time_that_no_worker_has_is_counted_and_moves_no_window(year):
    _, value = verdict_record("a.example/x", "a.example", hours_ago=1, model=UNKNOWN)
    strange = value.replace(b'"detected_at":"2026', b'"detected_at":"%04d' % year)
    assert strange != value
    verdicts = Verdicts()
    verdicts.add([value, strange])
    assert verdicts.malformed == 1
    assert verdicts.latest == (END - timedelta(hours=1)).timestamp()
