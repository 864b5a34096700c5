"""The content of a report as headings, paragraphs, tables and plots, for every format."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from trainer.measuring.evaluation import Detection
from trainer.report.figures import Difference, Example, Group, Measured

TOO_FEW = "too few benign rows"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class ReportHead(msgspec.Struct, frozen=True, kw_only=True):
    """What every report begins with."""

    title: str
    created_at: datetime = msgspec.field(default_factory=_now)
    command: str
    data: str
    """The files, and which of their rows the figures describe."""
    notes: list[str]
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


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of ``rows`` under ``headings``."""
    return Table([list(headings), *map(list, rows)])


def table_of(rows: Iterable[object], columns: Mapping[str, str]) -> Table:
    """A table of ``columns``: by heading, the format of an attribute, such as ``{.rows:,}``."""
    return table([*columns], ([cell.format(row) for cell in columns.values()] for row in rows))


def opening(head: ReportHead) -> list[Block]:
    """The title, how the report was made, and what a reader has to know first."""
    return [
        Heading(head.title, 1),
        Paragraph(f"Made {head.created_at:%Y-%m-%d %H:%M} UTC by: {head.command}"),
        Paragraph(head.data),
        *map(Paragraph, head.notes),
    ]


def content(report: Report) -> list[Block]:
    """The report from top to bottom."""
    blocks: list[Block] = [
        *opening(report),
        Heading("Detection"),
        _overview(report.models),
        Paragraph(
            "TPR: share of malicious rows found where that share of benign rows is flagged, with "
            "its 95% Wilson interval. 'Too few' marks rates for which there are fewer than ten "
            "expected false positives."
        ),
        Plot("roc", "ROC curves, the false-positive rate on a logarithmic axis"),
    ]
    if report.differences:
        rows = [
            [
                one.second,
                one.first,
                one.statistic,
                f"{one.interval:+.4f}" if one.interval else TOO_FEW,
            ]
            for one in report.differences
        ]
        headings = ["model", "over", "figure", "difference, 95% paired bootstrap"]
        blocks += [Heading("Side by side"), table(headings, rows)]
    for model in report.models:
        blocks += _of_model(model, alone=len(report.models) == 1)
    return blocks


def _overview(models: Sequence[Measured]) -> Table:
    rates = [f"TPR at FPR {one.false_positive_rate:.2%}" for one in models[0].detections]
    return table(
        ["model", "rows", "accuracy", "ROC AUC", "average precision", *rates, "ECE", "rows/s"],
        (
            [
                model.name,
                f"{model.rows:,}",
                f"{model.accuracy:.4f}",
                f"{model.roc_auc:.4f}",
                f"{model.average_precision:.4f}",
                *map(_tpr, model.detections),
                f"{model.expected_calibration_error:.4f}",
                f"{model.rows_per_second:,.0f}",
            ]
            for model in models
        ),
    )


def _tpr(at: Detection) -> str:
    return f"{at.tpr:.3f}" if at.enough else TOO_FEW


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
        headings = ["", "malicious", "benign", "ROC AUC", "TPR at FPR 1%", "benign flagged"]
        blocks.append(table(headings, map(_group_row, groups)))
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
        blocks += [
            heading("the first rows"),
            table(
                ["predicted", "actual", "score", "text"],
                (
                    [
                        _label(one.score >= model.thresholds[0].threshold),
                        _label(bool(one.label)),
                        f"{one.score:.4f}",
                        one.text,
                    ]
                    for one in model.first_rows
                ),
            ),
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
        table(
            ["verdict", "malicious events", "precision", "false alerts a million events"],
            (
                [
                    at.threshold,
                    f"1 in {round(1 / at.base_rate):,}",
                    TOO_FEW if at.precision is None else f"{at.precision:.1%}",
                    ""
                    if at.false_alerts_per_million is None
                    else f"{at.false_alerts_per_million:,.0f}",
                ]
                for at in model.base_rates
            ),
        ),
    ]


def _group_row(group: Group) -> list[str]:
    tpr = f"{group.tpr:.3f}" if group.tpr else TOO_FEW if group.malicious else ""
    return [
        group.name,
        f"{group.malicious:,}",
        f"{group.benign:,}",
        "" if group.roc_auc is None else f"{group.roc_auc:.4f}",
        tpr,
        "" if group.flagged is None else f"{group.flagged.value:.2%}",
    ]


def _errors(model: Measured, what: str, errors: Sequence[Example], first: str) -> list[Block]:
    threshold = f"the threshold of {model.thresholds[0].name} ({model.thresholds[0].threshold:.4f})"
    if not errors:
        return [Paragraph(f"{what} {threshold}: none.")]
    columns = {"score": "{.score:.4f}", "source": "{.source}", "kind": "{.kind}", "text": "{.text}"}
    return [Paragraph(f"{what} {threshold}, the {first} scores first:"), table_of(errors, columns)]


def _label(malicious: bool) -> str:
    return "malicious" if malicious else "benign"
