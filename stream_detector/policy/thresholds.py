"""Which thresholds are in force, and what a score means under them."""

from stream_detector.errors import SettingsError
from stream_detector.events import Kind, Thresholds, VerdictName
from stream_detector.settings.fields import Settings

__all__ = ["effective_thresholds", "verdict_for"]


def effective_thresholds(kind: Kind, bundle: Thresholds, settings: Settings) -> Thresholds:
    """The bundle's thresholds for ``kind``, with the settings' overrides put in.

    Raises:
        SettingsError: suspicious would lie above malicious.
    """
    if kind == "url":
        suspicious, malicious = settings.url_suspicious_threshold, settings.url_malicious_threshold
    else:
        suspicious, malicious = (
            settings.host_suspicious_threshold,
            settings.host_malicious_threshold,
        )
    effective = Thresholds(
        suspicious=bundle.suspicious if suspicious is None else suspicious,
        malicious=bundle.malicious if malicious is None else malicious,
    )
    if effective.suspicious > effective.malicious:
        names = (f"{kind}_suspicious_threshold", f"{kind}_malicious_threshold")
        given = [settings.with_place(name) for name in names if getattr(settings, name) is not None]
        raise SettingsError(
            f"the {kind} threshold for suspicious ({effective.suspicious:g}) is above that for "
            f"malicious ({effective.malicious:g}): correct {' or '.join(given)}; the bundle's own "
            f"are {bundle.suspicious:g} and {bundle.malicious:g}"
        )
    return effective


def verdict_for(score: float, thresholds: Thresholds) -> VerdictName:
    """The verdict for a score: at a threshold counts as above it."""
    if score >= thresholds.malicious:
        return "malicious"
    if score >= thresholds.suspicious:
        return "suspicious"
    return "benign"
