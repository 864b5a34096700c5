"""What a night shows at its end: a row a failure, as Markdown has tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from night.alerts import Fired
from night.play import Failure, Outcome

__all__ = ["faults", "not_played", "table"]

_HEAD = ("failure", "alert", "fired after", "text", "resolved after", "others")


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines of a Markdown table; seconds are those of the shortened windows."""
    yield _row(_HEAD)
    yield _row(["---"] * len(_HEAD))
    for outcome in outcomes:
        yield from _rows(outcome)


def faults(outcome: Outcome) -> Iterator[str]:
    """What is wrong, one line each."""
    name = outcome.failure.name
    if outcome.error:
        yield f"{name}: could not be played: {outcome.error}"
    for missed in outcome.missed:
        yield f"{name}: MISSED: {missed.replace('|', ' or ')} did not fire"
    for alert in outcome.false:
        yield f"{name}: FALSE: {alert.name} ({alert.summary})"
    for alert in outcome.unresolved:
        yield f"{name}: STAYS: {alert.name} fires on after the end"


def not_played(failures: Iterable[Failure], rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the alerts in ``rules`` that none of ``failures`` has to bring."""
    played = {name for failure in failures for name in failure.alerts}
    return sorted({rule["alert"] for rule in rules if "alert" in rule} - played)


def _rows(outcome: Outcome) -> Iterator[str]:
    text = outcome.failure.text
    if outcome.error:
        yield _row([text, "", "", f"**could not be played: {outcome.error}**", "", ""])
        return
    others = sorted({alert.name for alert in outcome.others})
    others += sorted({f"**{alert.name}, false**" for alert in outcome.false})
    other_names = ", ".join(others) or "none"
    for missed in outcome.missed:
        yield _row([text, missed.replace("|", " or "), "**missed**", "", "", other_names])
    for alert in outcome.fired:
        after = f"{alert.at - outcome.began:.0f} s"
        resolved = _resolved(alert, outcome)
        yield _row([text, alert.name, after, alert.summary, resolved, other_names])
    if not outcome.failure.expected:
        yield _row([text, "none", "", "", "", other_names])


def _resolved(alert: Fired, outcome: Outcome) -> str:
    if alert.resolved_at is not None:
        return f"{max(0, alert.resolved_at - outcome.ended):.0f} s"
    return "lasts its window" if alert.name in outcome.failure.lasts else "**stays**"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
