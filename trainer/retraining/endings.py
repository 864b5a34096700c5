"""How a retraining can end, and the exit codes by which scripts and the watch know it."""

from typing import Literal

__all__ = ["OUTCOMES", "REFUSED_CODE", "Outcome", "exit_code_of", "outcome_of"]

Outcome = Literal["published", "passed", "refused", "unchanged", "failed"]
"""``passed``: the gate, and not published because that was not asked for; ``refused``: by the
gate; ``unchanged``: there was nothing new to learn."""

OUTCOMES: tuple[Outcome, ...] = ("published", "passed", "refused", "unchanged", "failed")

REFUSED_CODE = 3
_UNCHANGED_CODE = 4


def exit_code_of(outcome: Outcome) -> int:
    """The exit code that tells ``outcome``."""
    return {"refused": REFUSED_CODE, "unchanged": _UNCHANGED_CODE, "failed": 1}.get(outcome, 0)


def outcome_of(code: int, *, publishes: bool) -> Outcome:
    """What an exit code tells; ``publishes`` says whether what passes is published."""
    if code == 0:
        return "published" if publishes else "passed"
    return {REFUSED_CODE: "refused", _UNCHANGED_CODE: "unchanged"}.get(code, "failed")  # type: ignore[return-value]
