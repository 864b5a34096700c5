"""Which thresholds are in force, and what a score means under them."""

from collections.abc import Mapping
from typing import NamedTuple, get_args

from stream_detector.errors import SettingsError
from stream_detector.events import Kind, Thresholds, VerdictName
from stream_detector.settings.fields import Settings


class ThresholdOverrides(NamedTuple):
    """Thresholds of the settings, which replace those of the bundle; None keeps the bundle's."""

    suspicious: float | None = None
    malicious: float | None = None
    places: tuple[str, ...] = ()
    """The settings that are given, with where they stand, for messages."""


Overrides = Mapping[Kind, ThresholdOverrides]


def threshold_overrides(settings: Settings) -> Overrides:
    """The thresholds of the settings that replace a bundle's own, by kind."""
    overrides: dict[Kind, ThresholdOverrides] = {}
    for kind in get_args(Kind):
        names = (f"{kind}_suspicious_threshold", f"{kind}_malicious_threshold")
        suspicious, malicious = (getattr(settings, name) for name in names)
        places = tuple(
            settings.with_place(name) for name in names if getattr(settings, name) is not None
        )
        overrides[kind] = ThresholdOverrides(suspicious, malicious, places)
    return overrides


def effective_thresholds(
    kind: Kind, bundle: Thresholds, overrides: ThresholdOverrides
) -> Thresholds:
    """The bundle's thresholds for ``kind``, with the overrides put in.

    Raises:
        SettingsError: suspicious would lie above malicious.
    """
    effective = Thresholds(
        suspicious=bundle.suspicious if overrides.suspicious is None else overrides.suspicious,
        malicious=bundle.malicious if overrides.malicious is None else overrides.malicious,
    )
    if effective.suspicious > effective.malicious:
        raise SettingsError(
            f"the {kind} threshold for suspicious ({effective.suspicious:g}) is above that for "
            f"malicious ({effective.malicious:g}): correct {' or '.join(overrides.places)}; the "
            f"bundle's own are {bundle.suspicious:g} and {bundle.malicious:g}"
        )
    return effective


def verdict_for(score: float, thresholds: Thresholds) -> VerdictName:
    """The verdict for a score: a score equal to a threshold reaches it."""
    if score >= thresholds.malicious:
        return "malicious"
    if score >= thresholds.suspicious:
        return "suspicious"
    return "benign"
