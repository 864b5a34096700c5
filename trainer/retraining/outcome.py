"""How the last retraining of a kind ended: a file in its folder, for the watch and for people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind, ModelRef
from stream_detector.system.atomic_files import write_atomically
from trainer.gate.decision import Check, GateDecision

Ending = Literal["published", "passed", "refused", "unchanged", "failed"]
"""``passed``: by the gate, and publishing was not asked for; ``refused``: by the gate;
``unchanged``: there was nothing new to learn."""

ENDINGS: tuple[Ending, ...] = get_args(Ending)


class Outcome(msgspec.Struct, frozen=True):
    """The result of one retraining."""

    kind: Kind
    ending: Ending
    ended_at: Annotated[datetime, msgspec.Meta(tz=True)]
    reason: str = ""
    """Why nothing was published; empty where a model passed the gate."""
    challenger: str | None = None
    """The name of the challenger's folder; None where there is no challenger."""
    model: ModelRef | None = None
    """The challenger."""
    checks: tuple[Check, ...] = ()
    """Of the gate."""


def outcome_now(
    kind: Kind,
    ending: Ending,
    reason: str = "",
    *,
    challenger: Path | None = None,
    decision: GateDecision | None = None,
) -> Outcome:
    """The outcome of a retraining that ends now."""
    ended = Outcome(kind, ending, datetime.now(UTC).replace(microsecond=0), reason)
    if decision is None or challenger is None:
        return ended
    model, checks = decision.challenger, decision.checks
    return msgspec.structs.replace(ended, challenger=challenger.name, model=model, checks=checks)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Replace the outcome of the retraining before; OSError where it can't be written."""
    content = msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n"
    write_atomically(_path(folder, outcome.kind), content)


def remove_outcome(folder: Path, kind: Kind) -> None:
    """Remove the outcome before a retraining begins: a killed one must not seem to have ended."""
    _path(folder, kind).unlink(missing_ok=True)


def read_outcome(folder: Path, kind: Kind) -> Outcome | None:
    """The outcome of the last retraining; None where it did not end.

    Raises:
        StreamDetectorError: the file is damaged or can't be read.
    """
    path = _path(folder, kind)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outcome)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StreamDetectorError(f"{path} can't be read: {error}") from error


def _path(folder: Path, kind: Kind) -> Path:
    # Both kinds share a folder.
    return folder / f"{kind}-outcome.json"
