"""Event times of logs: what is read, as UTC, and what is no time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.sources.times import to_time

TIME = datetime(2026, 11, 20, 9, 0, 20, 500000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1795165220.5,
        1795165220500,
        "1795165220.5",
        "1795165220500",
        "2026-11-20T09:00:20.5Z",
        "2026-11-20T09:00:20.500000+00:00",
        "2026-11-20T09:00:20.500000+0000",
        "2026-11-20T10:00:20.500000+01:00",
        "2026-11-20T03:30:20.500-05:30",
        "2026-11-20T09:00:20.500000",
        "2026-11-20 09:00:20.5",
        1795165220500000,
        1795165220500000000,
        "1795165220500000000",
        "2026-11-20 09:00:20.5 UTC",
        "2026-11-20 10:00:20.5 +0100",
        "2026/11/20 09:00:20.5 GMT",
        "20/Nov/2026:10:00:20.5 +0100",
        "Nov 20 2026 09:00:20.500 UTC",
        "Fri Nov 20 09:00:20.5 GMT 2026",
        "20 Nov 2026 03:30:20.5 GMT-05:30",
        "Fri, 20 Nov 2026 09:00:20.5 +0000",
    ],
)
def test_epochs_and_iso_texts_are_utc(value: float | str) -> None:
    time = to_time(value)
    assert time == TIME
    assert time.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-",
        "yesterday",
        "Nov 20 09:00:20",
        "Nov 20 2026 09:00:20",
        "Nov 20 09:00:20 UTC",
        "Nov 20 2026 09:00:20 CST",
        "20/Nov/2026:09:00:20",
        "20/Nov/2026:09:00:20 CEST",
        "20/Now/2026:09:00:20 +0000",
        "40/Nov/2026:09:00:20 +0000",
        "20/Nov/2026:09:00:20 +9900",
        "2026/11/20 09:00:20",
        "2026-11-20 09:00:20 EST",
        "2026-13-20T09:00:20Z",
        "0",
        0,
        -1.0,
        12.5,
        1e22,
        float("nan"),
        float("inf"),
        "nan",
        "1e999",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "2026-\ud800",
    ],
)
def test_what_is_no_time_is_none(value: float | str | None) -> None:
    assert to_time(value) is None


@settings(deadline=None, max_examples=300)
@given(
    st.none()
    | st.floats()
    | st.integers()
    | st.text()
    | st.from_regex(r"[-0-9T:.+Z ]{0,40}")
    | st.from_regex(r"[0-9]{2}/Nov/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}")
)
def test_any_value_is_a_time_in_utc_or_none(value: float | str | None) -> None:
    time = to_time(value)
    assert time is None or time.tzinfo is UTC


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(deadline=None, max_examples=300)
@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS))
def test_what_a_log_writes_is_read_back(time: datetime) -> None:
    assert to_time(time.isoformat()) == time
    assert to_time(time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == time
    for epoch in (time.timestamp(), time.timestamp() * 1000):
        read = to_time(epoch)
        assert read is not None
        assert abs(read - time) < timedelta(milliseconds=1)
