"""The gate's decision: the models, the rules and the checks, as JSON next to the bundle."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind, ModelRef
from stream_detector.system.atomic_files import write_atomically
from stream_detector.terminal.table import table_lines

_SUFFIX = "-gate.json"
_MESSAGE_CHARACTERS = 400
"""Of a check's message in an announcement, which has to stay small."""


class GateError(StreamDetectorError):
    """A decision is missing, damaged, or not one to publish on."""


class Check(msgspec.Struct, frozen=True):
    """One question of the gate, and what came out."""

    name: str
    passed: bool
    message: str
    """A sentence with the figures that count."""
    figures: dict[str, Any] = {}
    measured: bool = True
    """False where the hold-out is too small for the question: it then refuses nothing."""


class ListUsed(msgspec.Struct, frozen=True):
    """A list of texts, as it was when it was used."""

    name: str
    """Of the file, without its folder."""
    sha256: str


class RulesUsed(msgspec.Struct, frozen=True):
    """The rules that were applied; see ``GateOptions``."""

    margin: float
    confidence: float
    resamples: int
    calibration_margin: float
    must_not_alert: tuple[ListUsed, ...]
    must_alert: tuple[ListUsed, ...]


class HoldOutRows(msgspec.Struct, frozen=True):
    """How many rows the models were compared on."""

    rows: int
    malicious: int


class GateDecision(msgspec.Struct, frozen=True):
    """Whether a challenger may be published, and what that rests on."""

    challenger: ModelRef
    champion: ModelRef | None
    """None where there was none to compare with."""
    kind: Kind
    passed: bool
    """Every check did."""
    decided_at: Annotated[datetime, msgspec.Meta(tz=True)]
    rules: RulesUsed | None
    """None where nothing was judged: published only because of ``forced_because``."""
    rows: HoldOutRows | None
    checks: tuple[Check, ...]
    forced_because: str | None = None
    """Why it is published although it did not pass, or was not judged."""

    @property
    def refusal(self) -> str:
        """The sentences of the checks that did not pass; empty where all did."""
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(f"{check.name}: {check.message}" for check in failed)

    def announced(self) -> dict[str, Any]:
        """The part that an announcement carries: a few KB at most, plain JSON values."""
        return {
            "passed": self.passed,
            "forced_because": self.forced_because,
            "champion": None if self.champion is None else self.champion.sha256,
            "decided_at": self.decided_at.isoformat(),
            "checks": [
                {
                    "name": check.name,
                    "passed": check.passed,
                    "measured": check.measured,
                    "message": check.message[:_MESSAGE_CHARACTERS],
                }
                for check in self.checks
            ],
        }


def decision_path(bundle: Path) -> Path:
    """The file of the decision on a bundle: next to the folder, which holds only the bundle."""
    folder = bundle.resolve()
    return folder.with_name(folder.name + _SUFFIX)


def encode_decision(decision: GateDecision) -> bytes:
    """As JSON, for people too."""
    return msgspec.json.format(msgspec.json.encode(decision), indent=2) + b"\n"


def decode_decision(content: bytes, where: str) -> GateDecision:
    """The decision in ``content``, read from ``where``; GateError where there is none."""
    try:
        return msgspec.json.decode(content, type=GateDecision)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GateError(
            f"{where} is no decision of the gate ({error}): run `stream-trainer gate` again"
        ) from error


def read_decision(path: Path) -> GateDecision:
    """The decision in a file; GateError where it is missing, unreadable or none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GateError(
            f"{path} cannot be read ({error.strerror}): `stream-trainer gate` writes it"
        ) from error
    return decode_decision(content, str(path))


def write_decision(folder_of_bundle: Path, decision: GateDecision) -> Path:
    """Write the decision next to the bundle, whole or not at all; returns its path.

    Raises GateError where it can't be written.
    """
    path = decision_path(folder_of_bundle)
    try:
        write_atomically(path, encode_decision(decision))
    except OSError as error:
        raise GateError(f"{path} cannot be written: {error.strerror}") from error
    return path


def lines_of(checks: Iterable[Check]) -> Iterator[str]:
    """One row a check: its name, what came out, and its sentence."""
    rows = [("check", "", "what was found")]
    for check in checks:
        ending = "passed" if check.passed else "REFUSED"
        rows.append((check.name, ending if check.measured else "not measured", check.message))
    return table_lines(rows, wraps=True)
