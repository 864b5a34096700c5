"""The report of ``stream-trainer hold-out``: figures on sources that a model never saw."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from trainer.hold_out.measuring import (
    FLAGGED_FPR,
    GroupBy,
    HeldOutBenign,
    HeldOutMalicious,
    Training,
)
from trainer.measuring.statistics import wilson
from trainer.report.content import (
    Block,
    Columns,
    Heading,
    Paragraph,
    ReportHead,
    Table,
    opening,
    table_of,
)

_WORST_SHOWN = 3
_FIGURES = ("ROC AUC", "TPR at FPR 1%", "TPR at FPR 0.1%")


class FamilyMean(msgspec.Struct, frozen=True):
    """The figures of a family, averaged over all malicious groups with equal weights."""

    family: str
    groups: int
    """Malicious groups that were measured."""
    means: dict[str, float]
    """By figure."""
    differences: dict[str, float]
    """This family's figure minus the first family's: the mean over the groups that both have."""
    better: dict[str, int]
    """In how many of these groups this family's figure is the higher one."""
    compared: int
    """Groups that both have."""
    benign: list[HeldOutBenign]
    """Held-out benign sources, the most flagged first; each the mean over its folds."""

    @property
    def flagged(self) -> float | None:
        """Mean share flagged over the benign sources; None if none was held out."""
        shares = [one.flagged.value for one in self.benign]
        return float(np.mean(shares)) if shares else None


class HoldOutReport(ReportHead, frozen=True, kw_only=True):
    """Everything that the files of the report hold."""

    by: GroupBy
    families: list[FamilyMean]
    """The report compares all others with the first."""
    trainings: list[Training]


def family_means(trainings: Sequence[Training], families: Sequence[str]) -> list[FamilyMean]:
    """One entry for each family with a training, in the order of ``families``."""
    of_family = {name: [one for one in trainings if one.family == name] for name in families}
    figures = {
        name: {one.malicious.name: _figures(one.malicious) for one in done if one.malicious}
        for name, done in of_family.items()
        if done
    }
    first = next(iter(figures.values()), {})
    means = []
    for name, own in figures.items():
        both = [group for group in own if group in first]
        gains = {
            figure: [own[group][figure] - first[group][figure] for group in both]
            for figure in _FIGURES
        }
        means.append(
            FamilyMean(
                family=name,
                groups=len(own),
                means={
                    figure: float(np.mean([of[figure] for of in own.values()]))
                    for figure in _FIGURES
                    if own
                },
                differences={
                    figure: float(np.mean(gain)) for figure, gain in gains.items() if gain
                },
                better={figure: sum(one > 0 for one in gain) for figure, gain in gains.items()},
                compared=len(both),
                benign=_benign_sources(of_family[name]),
            )
        )
    return means


def held_out_table(
    trainings: Sequence[Training], means: Sequence[FamilyMean], *, short: bool = False
) -> Table:
    """A row for each malicious group and family, then the means and differences of the families.

    ``short`` leaves out intervals and shortens headings, for a terminal.
    """
    headings = [figure.replace(" FPR", "") for figure in _FIGURES] if short else _FIGURES
    rows = [["held out", "rows", "family", *headings]]
    order = [mean.family for mean in means]
    measured = [(one.malicious, one.family) for one in trainings if one.malicious is not None]
    measured.sort(key=lambda one: (-one[0].rows, one[0].name, order.index(one[1])))
    for group, family in measured:
        tprs = [
            str(at) if not short else f"{at.tpr.value:.3f}" if at.enough else "too few"
            for at in group.detections
        ]
        rows.append([group.name, f"{group.rows:,}", family, f"{group.roc_auc:.4f}", *tprs])
    # Too few benign rows make a threshold, and so the mean, a matter of chance.
    certain = [
        figure
        for place, figure in enumerate(_FIGURES)
        if place == 0 or all(group.detections[place - 1].enough for group, _ in measured)
    ]
    for mean in means:
        if mean.means:
            cells = [
                f"{mean.means[figure]:.4f}" if figure in certain else "" for figure in _FIGURES
            ]
            rows.append([f"mean of {mean.groups}", "", mean.family, *cells])
    for mean in means[1:]:
        if mean.compared:
            cells = [
                _difference(mean, figure, short=short) if figure in certain else ""
                for figure in _FIGURES
            ]
            over = "over the first" if short else f"over {means[0].family}"
            rows.append([over, "", mean.family, *cells])
    return Table(rows)


def lines_of(report: HoldOutReport) -> Iterator[str]:
    """For a terminal: the malicious groups, then the benign sources that are flagged most."""
    rows = held_out_table(report.trainings, report.families, short=True).rows
    yield from table_lines([list(map(printable, row)) for row in rows], right={1, 3, 4, 5})
    for mean in report.families:
        if mean.flagged is not None:
            worst = ", ".join(
                f"{printable(one.name)} {one.flagged.value:.1%}"
                for one in mean.benign[:_WORST_SHOWN]
            )
            yield (
                f"{mean.family}: of {len(mean.benign)} benign sources {mean.flagged:.2%} flagged "
                f"on average, most of {worst}"
            )


def content(report: HoldOutReport) -> list[Block]:
    """The report from top to bottom."""
    group = "source" if report.by == "source" else "kind of malice"
    blocks: list[Block] = [
        *opening(report),
        Heading(f"Malicious rows of a {group} that was never seen"),
        Paragraph(
            f"Each {group} was left out of training, all its registered domains with it, and its "
            "rows measured against benign rows of the test part whose sources were trained on. "
            "TPR with its 95% Wilson interval."
            + (
                " A group of benign sources was left out at the same time, so that each model saw "
                "fewer of them than there are."
                if any(family.benign for family in report.families)
                else ""
            )
        ),
        held_out_table(report.trainings, report.families),
    ]
    if any(family.benign for family in report.families):
        blocks += [
            Heading("Benign sources that were never seen"),
            Paragraph(
                "Share of each source's rows at or above the threshold that flags "
                f"{FLAGGED_FPR:.0%} of the test part's benign rows of sources that were trained "
                "on, with its 95% Wilson interval; the mean where several folds left it out."
            ),
            _benign_table(report.families),
        ]
    return [*blocks, Heading("Trainings"), table_of(report.trainings, _TRAINING_COLUMNS)]


def _benign_table(families: Sequence[FamilyMean]) -> Table:
    by_name = [{one.name: one for one in family.benign} for family in families]
    rows = [["source", "rows", *[family.family for family in families]]]
    for name in dict.fromkeys(one.name for family in families for one in family.benign):
        of_families = [known.get(name) for known in by_name]
        size = next(one.rows for one in of_families if one is not None)
        shares = ["" if one is None else f"{one.flagged:.2%}" for one in of_families]
        rows.append([name, f"{size:,}", *shares])
    means = ["" if one.flagged is None else f"{one.flagged:.2%}" for one in families]
    return Table([*rows, ["mean of the sources", "", *means]])


_TRAINING_COLUMNS: Columns = {
    "family": "{.family}",
    "without": lambda one: ", ".join(filter(None, (one.fold.malicious, *one.fold.benign))),
    "training rows": "{.train_rows:,}",
    "benign test rows": "{.benign_test_rows:,}",
    "seconds": "{.seconds:.0f}",
}


def _figures(group: HeldOutMalicious) -> dict[str, float]:
    values = (group.roc_auc, *[at.tpr.value for at in group.detections])
    return dict(zip(_FIGURES, values, strict=True))


def _benign_sources(trainings: Sequence[Training]) -> list[HeldOutBenign]:
    measured: dict[str, list[HeldOutBenign]] = {}
    for training in trainings:
        for one in training.benign:
            measured.setdefault(one.name, []).append(one)
    sources = []
    for name, of in measured.items():
        # Other models add no rows: the interval is that of one measurement.
        rows, share = of[0].rows, float(np.mean([one.flagged.value for one in of]))
        sources.append(HeldOutBenign(name, rows, wilson(round(rows * share), rows)))
    return sorted(sources, key=lambda one: (-one.flagged.value, one.name))


def _difference(mean: FamilyMean, figure: str, *, short: bool) -> str:
    difference = f"{mean.differences[figure]:+.4f}"
    if short:
        return difference
    return f"{difference} (higher in {mean.better[figure]} of {mean.compared})"
