"""The part of the gate's rules that a user may set."""

from pathlib import Path
from typing import NamedTuple


class GateOptions(NamedTuple):
    """How much worse a challenger may be, and the texts on which it must not be worse at all."""

    margin: float = 0.02
    """How far the lower end of the interval of challenger minus champion may lie below 0, as a
    share of the malicious rows. At 0 the gate would refuse nearly every challenger that is just as
    good: half of its interval lies below."""
    confidence: float = 0.95
    """Of the intervals; 1 minus it is how often the gate may take chance for a difference."""
    resamples: int = 1000
    """Draws of the paired bootstrap: of 1,000, 25 lie beyond either end of a 95% interval."""
    calibration_margin: float = 0.01
    """Expected calibration error that the challenger may have above the champion's. A
    small one changes few verdicts: the thresholds, which decide them, have a rule of their own."""
    must_not_alert: tuple[Path, ...] = ()
    """Lists in addition to the shipped one: domains, hosts or URLs, one a line."""
    must_alert: tuple[Path, ...] = ()
    """Lists of what the challenger has to find, in addition to the shipped one."""
