"""The content of a report as headings, paragraphs, tables and plots, for every format."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trainer.measuring.evaluation import TOO_FEW
from trainer.report.figures import Difference, Example, Measured


class ReportHead(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of every report."""

    title: str
    created_at: datetime = msgspec.field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0)
    )
    command: str
    data: str
    """The files, and which of their rows the figures describe."""
    notes: list[str] = []
    """Counts, duplicates, leaks: a sentence each."""


class Report(ReportHead, frozen=True, kw_only=True):
    """One measurement: everything that the files of a report hold."""

    models: list[Measured]
    differences: list[Difference]


class Heading(msgspec.Struct, frozen=True):
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph of plain text."""

    text: str


class Table(msgspec.Struct, frozen=True):
    """Cells as text; the first row names the columns."""

    rows: list[list[str]]


class Plot(msgspec.Struct, frozen=True):
    """A plot by name; see ``report.plots``."""

    name: str
    caption: str


Block = Heading | Paragraph | Table | Plot


Columns = Mapping[str, str | Callable[[Any], str]]
"""By heading, the format of a cell, such as ``{.rows:,}``, or its function."""


def table_of(rows: Iterable[Any], columns: Columns) -> Table:
    """A table with a line for each of ``rows``."""
    cells = [cell.format if isinstance(cell, str) else cell for cell in columns.values()]
    return Table([[*columns], *([cell(row) for cell in cells] for row in rows)])


def opening(head: ReportHead) -> list[Block]:
    """The title, how the report was made, and notes to read first."""
    return [
        Heading(head.title, 1),
        Paragraph(f"Made {head.created_at:%Y-%m-%d %H:%M} UTC by: {head.command}"),
        Paragraph(head.data),
        *map(Paragraph, head.notes),
    ]


def content(report: Report) -> list[Block]:
    """The report from top to bottom."""
    rates = {
        f"TPR at FPR {one.false_positive_rate:.2%}": f"{{.detections[{place}]}}"
        for place, one in enumerate(report.models[0].detections)
    }
    blocks: list[Block] = [
        *opening(report),
        Heading("Detection"),
        table_of(
            report.models,
            {
                "model": "{.name}",
                "rows": "{.rows:,}",
                "accuracy": "{.accuracy:.4f}",
                "ROC AUC": "{.roc_auc:.4f}",
                "average precision": "{.average_precision:.4f}",
                **rates,
                "ECE": "{.expected_calibration_error:.4f}",
                "rows/s": "{.rows_per_second:,.0f}",
            },
        ),
        Paragraph(
            "TPR: share of malicious rows found where that share of benign rows is flagged, with "
            "its 95% Wilson interval. 'Too few' marks rates for which there are fewer than ten "
            "expected false positives."
        ),
        Plot("roc", "ROC curves, the false-positive rate on a logarithmic axis"),
    ]
    if report.differences:
        differences: Columns = {
            "model": "{.second}",
            "over": "{.first}",
            "figure": "{.statistic}",
            "difference, 95% paired bootstrap": lambda one: (
                f"{one.interval:+.4f}" if one.interval else TOO_FEW
            ),
        }
        blocks += [Heading("Side by side"), table_of(report.differences, differences)]
    for model in report.models:
        blocks += _of_model(model, alone=len(report.models) == 1)
    return blocks


def _of_model(model: Measured, *, alone: bool) -> list[Block]:
    def heading(what: str) -> Heading:
        return Heading(what[0].upper() + what[1:]) if alone else Heading(f"{model.name}: {what}", 3)

    blocks: list[Block] = [
        *([] if alone else [Heading(model.name)]),
        heading("verdicts at the thresholds of suspicious and malicious"),
        *_verdicts(model),
        heading("calibration"),
        Paragraph(f"Expected calibration error {model.expected_calibration_error:.4f}."),
        Plot(f"calibration-{model.name}", "Share of malicious rows by score"),
    ]
    if model.traffic:
        blocks += [
            heading("ordinary traffic"),
            Paragraph(
                "Benign rows by type, and the share of each at or above these thresholds "
                "with its 95% Wilson interval. The type of a row is the first whose rule it meets."
            ),
            table_of(
                model.traffic,
                {
                    "type": "{.name}",
                    "rows": "{.rows:,}",
                    "suspicious or worse": "{.suspicious:.2%}",
                    "malicious": "{.malicious:.2%}",
                    "rule": "{.rule}",
                },
            ),
        ]
    for place, (by, groups) in enumerate(model.groups.items()):
        blocks.append(heading(f"by {by}"))
        if place == 0:
            blocks.append(
                Paragraph(
                    "ROC AUC and TPR compare the malicious rows of a group with the benign rows of "
                    "all groups. Benign flagged: the share of the group's benign rows at or above "
                    "the threshold that flags 1% of all of them."
                )
            )
        blocks.append(table_of(groups, _GROUP_COLUMNS))
    if model.robustness:
        blocks += [
            heading("robustness"),
            Paragraph("Malicious rows changed as attackers or loggers would; TPR at FPR 1%."),
            table_of(
                model.robustness,
                {
                    "transformation": "{.transformation}",
                    "rows": "{.rows:,}",
                    "before": "{.tpr_before:.3f}",
                    "after": "{.tpr_after:.3f}",
                    "loss in points": "{.points_lost:.1f}",
                },
            ),
        ]
    if model.history:
        plot = Plot(f"history-{model.name}", "Loss, AUC and accuracy by epoch")
        blocks += [heading("training"), plot]
    if model.first_rows:
        threshold = model.thresholds[0].threshold
        columns: Columns = {
            "predicted": lambda one: "malicious" if one.score >= threshold else "benign",
            "actual": lambda one: "malicious" if one.label else "benign",
            "score": "{.score:.4f}",
            "text": "{.text}",
        }
        blocks += [
            heading("the first rows"),
            table_of(model.first_rows, columns),
            heading("worst errors"),
            *_errors(model, "Malicious rows below", model.worst_missed, "lowest"),
            *_errors(model, "Benign rows at or above", model.worst_flagged, "highest"),
        ]
    return blocks


def _verdicts(model: Measured) -> list[Block]:
    return [
        table_of(
            model.thresholds,
            {
                "threshold": "{.name}",
                "score": "{.threshold:.4f}",
                "malicious found": "{.true_positives:,}",
                "missed": "{.false_negatives:,}",
                "benign flagged": "{.false_positives:,}",
                "passed": "{.true_negatives:,}",
            },
        ),
        table_of(
            model.base_rates,
            {
                "verdict": "{.threshold}",
                "malicious events": lambda at: f"1 in {round(1 / at.base_rate):,}",
                "precision": lambda at: _or(TOO_FEW, "{:.1%}", at.precision),
                "false alerts a million events": lambda at: _or(
                    "", "{:,.0f}", at.false_alerts_per_million
                ),
            },
        ),
    ]


def _or(missing: str, form: str, value: float | None) -> str:
    return missing if value is None else form.format(value)


_GROUP_COLUMNS: Columns = {
    "": "{.name}",
    "malicious": "{.malicious:,}",
    "benign": "{.benign:,}",
    "ROC AUC": lambda group: _or("", "{:.4f}", group.roc_auc),
    "TPR at FPR 1%": lambda group: (
        f"{group.tpr:.3f}" if group.tpr else TOO_FEW if group.malicious else ""
    ),
    "benign flagged": lambda group: f"{group.flagged.value:.2%}" if group.flagged else "",
}


def _errors(model: Measured, what: str, errors: Sequence[Example], first: str) -> list[Block]:
    threshold = f"the threshold of {model.thresholds[0].name} ({model.thresholds[0].threshold:.4f})"
    if not errors:
        return [Paragraph(f"{what} {threshold}: none.")]
    columns = {"score": "{.score:.4f}", "source": "{.source}", "kind": "{.kind}", "text": "{.text}"}
    return [Paragraph(f"{what} {threshold}, the {first} scores first:"), table_of(errors, columns)]
