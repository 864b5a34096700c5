"""What a report says, as headings, paragraphs, tables and plots: the same for every format."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from trainer.measuring.statistics import Interval
from trainer.report.differences import Difference
from trainer.report.figures import AtThreshold, Example, Group, Measured, Traffic

__all__ = ["Block", "Heading", "Paragraph", "Plot", "Report", "Table", "content"]


_GROUPS_SAID = (
    "ROC AUC and TPR compare the malicious rows of a group with the benign rows of all groups. "
    "Benign flagged: the share of the group's benign rows at or above the threshold that flags 1% "
    "of all of them."
)


class Report(msgspec.Struct, frozen=True):
    """One measurement: everything that the files of a report are made of."""

    title: str
    created_at: datetime
    command: str
    data: str
    """What was read, and what of it was measured on."""
    notes: list[str]
    """Counts, duplicates, leaks: a sentence each."""
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


def content(report: Report) -> list[Block]:
    """The report from top to bottom."""
    blocks: list[Block] = [
        Heading(report.title, 1),
        Paragraph(f"Made {report.created_at:%Y-%m-%d %H:%M} UTC by: {report.command}"),
        Paragraph(report.data),
        *[Paragraph(note) for note in report.notes],
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
        blocks += [Heading("Side by side"), _differences(report.differences)]
    for model in report.models:
        blocks += _of_model(model, alone=len(report.models) == 1)
    return blocks


def _of_model(model: Measured, *, alone: bool) -> list[Block]:
    def heading(what: str) -> Heading:
        return Heading(what[0].upper() + what[1:]) if alone else Heading(f"{model.name}: {what}", 3)

    blocks: list[Block] = [
        *([] if alone else [Heading(model.name)]),
        heading("verdicts at the thresholds of suspicious and malicious"),
        _confusion(model.thresholds),
        Table(
            [
                ["verdict", "malicious events", "precision", "false alerts a million events"],
                *[
                    [
                        at.threshold,
                        f"1 in {round(1 / at.base_rate):,}",
                        "too few benign rows" if at.precision is None else f"{at.precision:.1%}",
                        ""
                        if at.false_alerts_per_million is None
                        else f"{at.false_alerts_per_million:,.0f}",
                    ]
                    for at in model.base_rates
                ],
            ]
        ),
        heading("calibration"),
        Paragraph(f"Expected calibration error {model.expected_calibration_error:.4f}."),
        Plot(f"calibration-{model.name}", "Share of malicious rows by score"),
    ]
    if model.traffic:
        blocks += [
            heading("ordinary traffic"),
            Paragraph(
                "Benign rows by type, and the share of each at or above these thresholds "
                "with its 95% Wilson interval. A row is of the first type whose rule it meets."
            ),
            _traffic_table(model.traffic),
        ]
    for place, (by, groups) in enumerate(model.groups.items()):
        blocks += [heading(f"by {by}")]
        if place == 0:
            blocks += [Paragraph(_GROUPS_SAID)]
        blocks += [_group_table(groups)]
    if model.robustness:
        blocks += [
            heading("robustness"),
            Paragraph("Malicious rows changed as attackers or loggers would; TPR at FPR 1%."),
            Table(
                [
                    ["transformation", "rows", "before", "after", "loss in points"],
                    *[
                        [
                            one.transformation,
                            f"{one.rows:,}",
                            f"{one.tpr_before:.3f}",
                            f"{one.tpr_after:.3f}",
                            f"{100 * one.loss:.1f}",
                        ]
                        for one in model.robustness
                    ],
                ]
            ),
        ]
    if model.history:
        blocks += [
            heading("training"),
            Plot(f"history-{model.name}", "Loss, AUC and accuracy by epoch"),
        ]
    if not model.first_rows:
        return blocks
    return [
        *blocks,
        heading("the first rows"),
        Table(
            [
                ["predicted", "actual", "score", "text"],
                *[
                    [
                        _label(one.score >= model.thresholds[0].threshold),
                        _label(bool(one.label)),
                        f"{one.score:.4f}",
                        one.text,
                    ]
                    for one in model.first_rows
                ],
            ]
        ),
        heading("worst errors"),
        *_errors("Malicious rows below", "the lowest scores first", model, model.worst_missed),
        *_errors("Benign rows at or above", "the highest scores first", model, model.worst_flagged),
    ]


def _errors(what: str, order: str, model: Measured, errors: Sequence[Example]) -> list[Block]:
    threshold = f"the threshold of {model.thresholds[0].name} ({model.thresholds[0].threshold:.4f})"
    if not errors:
        return [Paragraph(f"{what} {threshold}: none.")]
    return [Paragraph(f"{what} {threshold}, {order}:"), _example_table(errors)]


def _label(malicious: bool) -> str:
    return "malicious" if malicious else "benign"


def _overview(models: Sequence[Measured]) -> Table:
    rates = [f"TPR at FPR {one.false_positive_rate:.2%}" for one in models[0].detections]
    heading = ["model", "rows", "accuracy", "ROC AUC", "average precision", *rates, "ECE", "rows/s"]
    return Table(
        [
            heading,
            *[
                [
                    model.name,
                    f"{model.rows:,}",
                    f"{model.accuracy:.4f}",
                    f"{model.roc_auc:.4f}",
                    f"{model.average_precision:.4f}",
                    *[
                        _interval(one.tpr) if one.enough else "too few benign rows"
                        for one in model.detections
                    ],
                    f"{model.expected_calibration_error:.4f}",
                    f"{model.rows_per_second:,.0f}",
                ]
                for model in models
            ],
        ]
    )


def _interval(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _percent_interval(interval: Interval) -> str:
    return f"{interval.value:.2%} ({interval.low:.2%} to {interval.high:.2%})"


def _differences(differences: Sequence[Difference]) -> Table:
    return Table(
        [
            ["model", "over", "figure", "difference, 95% paired bootstrap"],
            *[
                [
                    one.second,
                    one.first,
                    one.statistic,
                    "too few benign rows"
                    if one.interval is None
                    else f"{one.interval.value:+.4f} ({one.interval.low:+.4f} to "
                    f"{one.interval.high:+.4f})",
                ]
                for one in differences
            ],
        ]
    )


def _confusion(thresholds: Sequence[AtThreshold]) -> Table:
    return Table(
        [
            ["threshold", "score", "malicious found", "missed", "benign flagged", "passed"],
            *[
                [
                    at.name,
                    f"{at.threshold:.4f}",
                    f"{at.true_positives:,}",
                    f"{at.false_negatives:,}",
                    f"{at.false_positives:,}",
                    f"{at.true_negatives:,}",
                ]
                for at in thresholds
            ],
        ]
    )


def _group_table(groups: Sequence[Group]) -> Table:
    return Table(
        [
            ["", "malicious", "benign", "ROC AUC", "TPR at FPR 1%", "benign flagged"],
            *[
                [
                    group.name,
                    f"{group.malicious:,}",
                    f"{group.benign:,}",
                    "" if group.roc_auc is None else f"{group.roc_auc:.4f}",
                    _group_tpr(group),
                    "" if group.flagged is None else f"{group.flagged.value:.2%}",
                ]
                for group in groups
            ],
        ]
    )


def _group_tpr(group: Group) -> str:
    if group.tpr is None:
        return "too few benign rows" if group.malicious else ""
    return _interval(group.tpr)


def _traffic_table(traffic: Sequence[Traffic]) -> Table:
    return Table(
        [
            ["type", "rows", "suspicious or worse", "malicious", "rule"],
            *[
                [
                    one.name,
                    f"{one.rows:,}",
                    _percent_interval(one.suspicious),
                    _percent_interval(one.malicious),
                    one.rule,
                ]
                for one in traffic
            ],
        ]
    )


def _example_table(examples: Sequence[Example]) -> Table:
    return Table(
        [
            ["score", "source", "kind", "text"],
            *[[f"{one.score:.4f}", one.source, one.kind, one.text] for one in examples],
        ]
    )
