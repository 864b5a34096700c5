"""Decides whether a model may be announced: what a decision of the gate allows."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from stream_detector.events import Kind, ModelRef
from trainer.gate.decision import GateDecision, GateError

REFUSED_CODE = 3
"""Exit code of a command whose model the gate refused."""


class NotAdmittedError(GateError):
    """A model may not replace the one that serves: the gate refused it or did not judge it."""

    exit_code = REFUSED_CODE


class Reigning(NamedTuple):
    """The model that an announcement would replace."""

    kind: Kind
    ref: ModelRef
    is_announced: bool
    """False: nothing is announced for the kind, so workers serve the bundle of the settings."""

    def __str__(self) -> str:
        which = "announced now" if self.is_announced else "that serves while none is announced"
        return f"the {self.kind} model {which} ({self.ref.short})"


def check_admitted(challenger: ModelRef, reigning: Reigning, decision: GateDecision | None) -> None:
    """Check that ``challenger`` may replace ``reigning``.

    The model that serves needs no decision. Any other needs one that passed or is forced, and that
    compared these two models.

    Raises:
        NotAdmittedError: there is none; the message says how to get one.
    """
    if reigning.ref.sha256 == challenger.sha256:
        return
    how = (
        "judge it by `stream-trainer gate BUNDLE --champion served --data FILE`, then publish "
        'BUNDLE; or give a reason to do without: --force "REASON"'
    )
    who = f"{challenger.name} {challenger.version} ({challenger.short})"
    if decision is None:
        raise NotAdmittedError(f"{who} has not been compared with {reigning}: {how}")
    if decision.challenger.sha256 != challenger.sha256:
        raise NotAdmittedError(
            f"the gate's decision is on another bundle ({decision.challenger.short}) than "
            f"{who}: {how}"
        )
    if decision.champion is None or decision.champion.sha256 != reigning.ref.sha256:
        with_whom = (
            "no other" if decision.champion is None else f"another ({decision.champion.short})"
        )
        raise NotAdmittedError(f"{who} was compared with {with_whom}, not with {reigning}: {how}")
    if not decision.passed and decision.forced_because is None:
        raise NotAdmittedError(
            f"the gate refused {who}: {decision.refusal}"
            '. To publish it all the same give a reason: --force "REASON"'
        )


def force(
    challenger: ModelRef, reigning: Reigning, decision: GateDecision | None, reason: str
) -> GateDecision:
    """A decision that admits ``challenger`` for a ``reason``; GateError where that is empty.

    It keeps the checks of ``decision`` if that compared these two models, or if ``challenger``
    serves already.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise GateError("--force needs a reason: it is recorded for those who ask later")
    if (
        decision is not None
        and decision.champion is not None
        and decision.challenger.sha256 == challenger.sha256
        and reigning.ref.sha256 in {decision.champion.sha256, challenger.sha256}
    ):
        return msgspec.structs.replace(decision, forced_because=reason)
    return GateDecision(
        challenger=challenger,
        champion=reigning.ref,
        kind=reigning.kind,
        passed=False,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        rules=None,
        rows=None,
        checks=(),
        forced_because=reason,
    )
