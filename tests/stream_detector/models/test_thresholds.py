import pytest

from stream_detector.errors import SettingsError
from stream_detector.events import Kind, Thresholds
from stream_detector.models.thresholds import effective_thresholds, threshold_overrides, verdict_for
from stream_detector.settings.fields import Settings

BUNDLE = Thresholds(suspicious=0.5, malicious=0.9)


def in_force(kind: Kind, settings: Settings) -> Thresholds:
    return effective_thresholds(kind, BUNDLE, threshold_overrides(settings)[kind])


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, "benign"),
        (0.4999, "benign"),
        (0.5, "suspicious"),
        (0.8999, "suspicious"),
        (0.9, "malicious"),
        (1.0, "malicious"),
    ],
)
def test_a_score_at_a_threshold_counts_as_above_it(score: float, verdict: str) -> None:
    assert verdict_for(score, BUNDLE) == verdict


def test_without_overrides_the_bundle_decides() -> None:
    assert in_force("url", Settings()) == BUNDLE


def test_overrides_hold_for_their_own_kind_only() -> None:
    settings = Settings(url_suspicious_threshold=0.2, host_malicious_threshold=0.99)
    assert in_force("url", settings) == Thresholds(0.2, 0.9)
    assert in_force("host", settings) == Thresholds(0.5, 0.99)


def test_an_override_of_zero_is_an_override() -> None:
    settings = Settings(url_suspicious_threshold=0.0)
    assert in_force("url", settings).suspicious == 0.0


def test_suspicious_above_malicious_is_refused_and_the_message_names_the_settings() -> None:
    settings = Settings(host_malicious_threshold=0.4)
    with pytest.raises(SettingsError, match=r"correct host_malicious_threshold;.*0\.5 and 0\.9"):
        in_force("host", settings)


def test_equal_thresholds_leave_nothing_suspicious() -> None:
    thresholds = in_force("url", Settings(url_suspicious_threshold=0.9))
    assert verdict_for(0.9, thresholds) == "malicious"
    assert verdict_for(0.89, thresholds) == "benign"
