"""The rules of the gate that a user may set."""

from pathlib import Path
from typing import NamedTuple


class GateRules(NamedTuple):
    """How much worse a challenger may be, and what it has to leave alone or find."""

    margin: float = 0.02
    """How far the lower end of the interval of challenger minus champion may lie below 0, as a
    share of the malicious rows. At 0 the gate would refuse nearly every challenger that is just as
    good: half of its interval lies below."""
    confidence: float = 0.95
    """Of the intervals; 1 minus it is how often chance alone may be taken for a difference."""
    resamples: int = 1000
    """Draws of the paired bootstrap."""
    calibration_margin: float = 0.01
    """Expected calibration error that the challenger may have above the champion's."""
    must_not_alert: tuple[Path, ...] = ()
    """Lists in addition to the shipped one: domains, hosts or URLs, one a line."""
    must_alert: tuple[Path, ...] = ()
    """The same of what has to be found."""
