"""A summary of comparisons as text for a terminal."""

from collections.abc import Iterator

from stream_detector.events import ModelRef
from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from trainer.shadow.summary import VERDICTS, Direction, Labelled, Summary

_TEXT_SHOWN = 120
"""Characters of a text."""


def as_text(summary: Summary) -> str:
    """The summary in lines of text."""
    return "\n".join(_lines(summary))


def _lines(summary: Summary) -> Iterator[str]:
    yield f"Shadow {summary.kind} model {_model(summary.shadow)}"
    yield f"compared with {_model(summary.served)}, which served"
    yield (
        f"from {summary.first:%Y-%m-%d %H:%M:%S} to {summary.last:%Y-%m-%d %H:%M:%S} UTC, on a "
        f"share of {summary.share:g}"
    )
    yield ""
    yield f"Texts compared  {summary.texts:,}"
    if summary.passed_over:
        yield f"Passed over     {summary.passed_over:,}, since the shadow was too slow"
    yield f"Agreement       {summary.agreement:.3%}"
    yield (
        f"Scores          the shadow's are {summary.mean_difference:+.4f} on average; apart by "
        f"{summary.mean_absolute_difference:.4f} on average, by "
        f"{summary.max_absolute_difference:.4f} at most"
    )
    if summary.labelled is not None:
        yield f"Labels          {_labels(summary.labelled)}"
    yield ""
    rows = [
        (served, "", *(f"{summary.verdicts[served][shadow]:,}" for shadow in VERDICTS))
        for served in VERDICTS
    ]
    yield from table_lines([("served", "shadow", *VERDICTS), *rows], right={2, 3, 4})
    for direction in summary.directions:
        yield ""
        yield from _direction(direction)


def _model(ref: ModelRef) -> str:
    return printable(f"{ref.name} {ref.version} ({ref.short})")


def _direction(direction: Direction) -> Iterator[str]:
    yield f"{direction.served} -> {direction.shadow}: {_texts(direction.texts)}"
    if direction.labelled is not None and direction.labelled.texts:
        yield f"  labels: {_labels(direction.labelled)}"
    domains = ", ".join(f"{name} ({texts:,})" for name, texts in direction.domains)
    yield printable(f"  domains: {domains}")
    for example in direction.examples:
        label = f"  labelled {example.label}" if example.label else ""
        text = example.text
        if len(text) > _TEXT_SHOWN:
            text = f"{text[: _TEXT_SHOWN - 3]}..."
        yield printable(
            f"    {example.served_score:.4f} -> {example.shadow_score:.4f}  {text}{label}"
        )


def _labels(labelled: Labelled) -> str:
    if not labelled.texts:
        return "none of the texts disagreed on"
    return (
        f"{_texts(labelled.texts)} disagreed on: the served model is right on "
        f"{labelled.served_right:,}, the shadow on {labelled.shadow_right:,}"
    )


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"
