"""The gate's checks as a table for a terminal."""

from collections.abc import Iterable, Iterator

from stream_detector.terminal.table import table_lines
from trainer.gate.decision import Check


def lines_of(checks: Iterable[Check]) -> Iterator[str]:
    """One row a check: its name, what came out, and its sentence."""
    rows = [(check.name, _verdict_on(check), check.message) for check in checks]
    return table_lines([("check", "", "what was found"), *rows], wraps=True)


def _verdict_on(check: Check) -> str:
    if not check.measured:
        return "not measured"
    return "passed" if check.passed else "REFUSED"
