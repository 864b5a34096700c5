"""Who may be announced: the rule by which a decision lets a model take the served one's place."""

from datetime import UTC, datetime

import msgspec

from stream_detector.events import Kind, ModelRef
from stream_detector.models.announcement import Announcement
from trainer.gate.decision import GateDecision, GateError

__all__ = ["check_admitted", "force"]


def check_admitted(
    challenger: ModelRef, announced: Announcement | None, decision: GateDecision | None
) -> None:
    """Whether ``challenger`` may be announced in the place of ``announced``.

    The first model of a kind, and the one that is announced already, need no decision. Any other
    needs one that passed or is forced, and is on this very pair.

    Raises:
        GateError: there is none; the message says how to get one.
    """
    if announced is None or announced.sha256 == challenger.sha256:
        return
    how = (
        f"get that by `stream-trainer models fetch {announced.ref.short} CHAMPION`, judge by "
        "`stream-trainer gate BUNDLE --champion CHAMPION --data FILE` and publish BUNDLE, or give "
        'a reason: --force "REASON"'
    )
    who = f"{challenger.name} {challenger.version} ({challenger.short})"
    reigning = f"the {announced.kind} model announced now ({announced.ref.short})"
    if decision is None:
        raise GateError(f"{who} has not been compared with {reigning}: {how}")
    if decision.challenger.sha256 != challenger.sha256:
        raise GateError(
            f"the gate's decision is on another bundle ({decision.challenger.short}) than "
            f"{who}: {how}"
        )
    if decision.champion is None or decision.champion.sha256 != announced.sha256:
        with_whom = (
            "no other" if decision.champion is None else f"another ({decision.champion.short})"
        )
        raise GateError(f"{who} was compared with {with_whom}, not with {reigning}: {how}")
    if not decision.passed and decision.forced_because is None:
        failed = [check for check in decision.checks if not check.passed]
        raise GateError(
            f"the gate refused {who}: "
            + "; ".join(f"{check.name}: {check.message}" for check in failed)
            + '. To publish it all the same give a reason: --force "REASON"'
        )


def force(
    challenger: ModelRef,
    kind: Kind,
    announced: Announcement | None,
    decision: GateDecision | None,
    reason: str,
) -> GateDecision:
    """A decision that lets ``challenger`` be announced whatever was found, and says why.

    What ``decision`` found is kept where it is on this very pair.

    Raises:
        GateError: the reason is empty.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise GateError("--force needs a reason: it is recorded for those who ask later")
    champion = None if announced is None else announced.ref
    if (
        decision is not None
        and decision.challenger.sha256 == challenger.sha256
        and _sha256(decision.champion) == _sha256(champion)
    ):
        return msgspec.structs.replace(decision, forced_because=reason)
    return GateDecision(
        challenger=challenger,
        champion=champion,
        kind=kind,
        passed=False,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        rules=None,
        rows=None,
        checks=(),
        forced_because=reason,
    )


def _sha256(model: ModelRef | None) -> str | None:
    return None if model is None else model.sha256
