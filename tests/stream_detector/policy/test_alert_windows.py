from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stream_detector.events import Verdict
from stream_detector.policy.alert_windows import AlertWindows
from support.verdicts import verdict_with

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def verdict(
    offset: int,
    *,
    at: timedelta = timedelta(0),
    client: str | None = "10.0.0.1",
    domain: str = "evil.com",
) -> Verdict:
    return verdict_with(
        id=f"c:t:0:{offset}:0", registered_domain=domain, detected_at=START + at, client=client
    )


def windows(keys_max: int = 100) -> AlertWindows:
    return AlertWindows(seconds=3600.0, keys_max=keys_max)


def test_the_first_verdict_alerts_and_the_next_are_folded_in() -> None:
    alerts = windows()
    first = alerts.admit(verdict(1))
    assert first is not None
    assert (first.folded, first.window_seconds) == (0, 3600.0)
    assert alerts.admit(verdict(2)) is None
    assert alerts.admit(verdict(3, at=HOUR - timedelta(microseconds=1))) is None


def test_the_first_alert_after_a_window_counts_the_folded_verdicts() -> None:
    alerts = windows()
    alerts.admit(verdict(1))
    alerts.admit(verdict(2))
    alerts.admit(verdict(3))
    second = alerts.admit(verdict(4, at=HOUR))
    assert second is not None and second.folded == 2
    third = alerts.admit(verdict(5, at=2 * HOUR))
    assert third is not None and third.folded == 0


def test_other_clients_and_domains_alert_on_their_own() -> None:
    alerts = windows()
    for number, (client, domain) in enumerate(
        [("a", "evil.com"), ("b", "evil.com"), ("a", "bad.org"), (None, "evil.com")]
    ):
        assert alerts.admit(verdict(number, client=client, domain=domain)) is not None
    assert alerts.admit(verdict(9, client=None)) is None


def test_a_replay_of_the_verdict_that_opened_the_window_alerts_again() -> None:
    alerts = windows()
    alerts.admit(verdict(1))
    alerts.admit(verdict(2))
    opened = alerts.admit(verdict(3, at=HOUR))
    assert opened is not None and opened.folded == 1
    alerts.admit(verdict(4, at=HOUR))
    again = alerts.admit(verdict(3, at=HOUR + timedelta(minutes=1)))
    assert again is not None and again.folded == 1
    assert again.verdict.sighting.id == opened.verdict.sighting.id
    assert alerts.admit(verdict(5, at=HOUR + timedelta(minutes=2))) is None


def test_a_replay_does_not_move_its_window() -> None:
    alerts = windows()
    alerts.admit(verdict(1))
    alerts.admit(verdict(1, at=HOUR / 2))
    assert alerts.admit(verdict(2, at=HOUR)) is not None


def test_the_key_seen_longest_ago_is_forgotten_first() -> None:
    alerts = windows(keys_max=2)
    alerts.admit(verdict(1, client="a"))
    alerts.admit(verdict(2, client="b"))
    assert alerts.admit(verdict(3, client="a")) is None
    alerts.admit(verdict(4, client="c"))
    assert len(alerts) == 2
    assert alerts.admit(verdict(5, client="a")) is None
    assert alerts.admit(verdict(6, client="b")) is not None


def test_a_clock_that_was_set_back_does_not_hold_alerts_back() -> None:
    alerts = windows()
    alerts.admit(verdict(1))
    assert alerts.admit(verdict(2, at=-timedelta(days=365))) is not None


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["x.com", "y.com"]), st.integers(0, 90)),
        max_size=60,
    )
)
def test_every_verdict_alerts_or_follows_an_alert_of_its_key_within_the_window(
    steps: list[tuple[str, str, int]],
) -> None:
    alerts = windows()
    alerted_at: dict[tuple[str, str], timedelta] = {}
    folded: dict[tuple[str, str], int] = {}
    at = timedelta(0)
    for offset, (client, domain, minutes) in enumerate(steps):
        at += timedelta(minutes=minutes)
        alert = alerts.admit(verdict(offset, at=at, client=client, domain=domain))
        key = (client, domain)
        if alert is None:
            assert at - alerted_at[key] < HOUR
            folded[key] += 1
        else:
            assert key not in alerted_at or at - alerted_at[key] >= HOUR
            assert alert.folded == folded.get(key, 0)
            alerted_at[key], folded[key] = at, 0
