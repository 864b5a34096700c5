"""The gate: whether a challenger may take the place of the champion, and the record of it.

``judging`` puts the checks together: ``detection`` (true-positive rates, paired), ``calibration``,
``newest`` (the newest labels), ``lists`` (what must and must not alert) and ``voices`` (who changed
what). ``decision`` is the
record, ``rules`` what a user may set, ``admission`` what a record lets be published.
"""

from trainer.gate.admission import NotAdmittedError, Reigning, check_admitted, force
from trainer.gate.decision import (
    Check,
    GateDecision,
    GateError,
    decision_path,
    read_decision,
    write_decision,
)
from trainer.gate.judging import judge
from trainer.gate.rules import GateRules

__all__ = [
    "Check",
    "GateDecision",
    "GateError",
    "GateRules",
    "NotAdmittedError",
    "Reigning",
    "check_admitted",
    "decision_path",
    "force",
    "judge",
    "read_decision",
    "write_decision",
]
