"""What a night shows at its end: a row a failure, as Markdown has tables."""

from collections.abc import Iterator, Sequence

from night.alerts import Fired
from night.play import Outcome

__all__ = ["faults", "table"]

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


def _rows(outcome: Outcome) -> Iterator[str]:
    failure = outcome.failure
    others = ", ".join(sorted({alert.name for alert in outcome.others})) or "none"
    false = sorted({alert.name for alert in outcome.false})
    others = ", ".join(
        [
            *([others] if others != "none" or not false else []),
            *(f"**{name}, false**" for name in false),
        ]
    )
    if outcome.error:
        yield _row([failure.text, "", "", f"**could not be played: {outcome.error}**", "", ""])
        return
    for missed in outcome.missed:
        yield _row([failure.text, missed.replace("|", " or "), "**missed**", "", "", others])
    for alert in outcome.fired:
        after = f"{alert.at - outcome.began:.0f} s"
        yield _row(
            [failure.text, alert.name, after, alert.summary, _resolved(alert, outcome), others]
        )
    if not failure.expected:
        yield _row([failure.text, "none", "", "", "", others])


def _resolved(alert: Fired, outcome: Outcome) -> str:
    if alert.resolved_at is not None:
        return f"{max(0, alert.resolved_at - outcome.ended):.0f} s"
    return "lasts its window" if alert.name in outcome.failure.lasts else "**stays**"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
