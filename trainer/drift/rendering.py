"""A drift report as plain text."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from stream_detector.models.drift import TEXTS_MIN
from stream_detector.models.reference import PSI_LOOK, PSI_MOVED
from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from trainer.drift.findings import Counts, Drift, Group, Groups, ModelDrift, StatisticDrift

_WIDTH = 100
_BINS_TOLD = 2


def interpretation(psi: float) -> str:
    """``stable``, ``look`` or ``moved``."""
    if psi < PSI_LOOK:
        return "stable"
    return "look" if psi <= PSI_MOVED else "moved"


def lines_of(drift: Drift) -> Iterator[str]:
    """The whole report, line by line."""
    yield f"recent:   {_moment(drift.recent.start)} to {_moment(drift.recent.end)}"
    yield f"baseline: {_moment(drift.baseline.start)} to {_moment(drift.baseline.end)}"
    if drift.malformed:
        yield f"{drift.malformed:,} records are no verdicts, and were left out"
    if drift.by_list:
        yield f"{drift.by_list:,} verdicts are of allow or deny lists, and were left out"
    for model in drift.models:
        yield ""
        yield from _of_model(model)
    yield ""
    yield from textwrap.wrap(
        f"PSI (population stability index): below {PSI_LOOK:g} stable, to {PSI_MOVED:g} worth a "
        f"look, above {PSI_MOVED:g} moved. The reference is the benign rows that the model was "
        "tested on, not your network: an index against it has a level of its own on each network. "
        "Go by the baseline window, and by changes of that level. The score is compared within one "
        "model, the inputs over all models of a kind. By topic and domain: verdicts, "
        "distinct texts and the share of verdicts flagged (malicious or suspicious), recent and "
        "before; what each adds to the PSI of the score; and how many percentage points to the "
        "flagged share.",
        width=_WIDTH,
    )


def _of_model(model: ModelDrift) -> Iterator[str]:
    name = printable(f"{model.model} {model.version}")
    yield f"{model.kind} model {name} ({printable(model.ref.short)})"
    yield f"  recent:   {_counted(model.recent)}"
    by_others = " (by the models before it)" if model.serves_from is not None else ""
    yield f"  baseline: {_counted(model.baseline)}{by_others}"
    if model.serves_from is not None:
        yield f"  It serves from {_moment(model.serves_from)} on, so its scores have no baseline."
    for remark in model.remarks:
        yield f"  {printable(remark)}"
    for what, counts in (("recent", model.recent), ("baseline", model.baseline)):
        if 0 < counts.texts < TEXTS_MIN:
            yield f"  Beware: with few {what} texts chance makes the index large."
    yield ""
    yield from table_lines(
        [
            [
                *("PSI", "recent to baseline", "", "recent to reference"),
                *("baseline to reference", "what moved most"),
            ],
            *[_statistic_row(one) for one in model.statistics],
        ],
        right={1, 3, 4},
        indent="  ",
    )
    yield ""
    yield f"  {_moved(model)}, by input topic:"
    yield from _group_table("topic", model.topics.movers)
    if model.domains.movers:
        yield ""
        yield "  by registered domain, the most first:"
        yield from _group_table("domain", model.domains.movers)
    if model.baseline.verdicts:
        yield from _comings(model.domains)


def _moved(model: ModelDrift) -> str:
    if model.explained == "baseline":
        return "What moved the scores and the flagged share since the baseline"
    if model.reference_rows is None:
        return "What moved the flagged share since the baseline"
    if model.baseline.verdicts:
        return "What moved the scores from the reference, and the flagged share since the baseline"
    return "What moved the scores from the reference"


def _comings(domains: Groups) -> Iterator[str]:
    yield ""
    yield (
        f"  {domains.new:,} of {domains.recent:,} domains are new, with {domains.new_share:.1%} of "
        f"the recent verdicts" + (":" if domains.most_new else "")
    )
    yield from _group_table("domain", domains.most_new)
    yield (
        f"  {domains.gone:,} of {domains.baseline:,} domains are gone, with "
        f"{domains.gone_share:.1%} of the baseline's verdicts" + (":" if domains.most_gone else "")
    )
    yield from _group_table("domain", domains.most_gone)


def _statistic_row(one: StatisticDrift) -> list[str]:
    decisive = one.psi_baseline if one.psi_baseline is not None else one.psi_reference
    return [
        one.name,
        _index(one.psi_baseline),
        "" if decisive is None else interpretation(decisive),
        _index(one.psi_reference),
        _index(one.psi_baseline_reference),
        _moved_bins(one),
    ]


def _moved_bins(one: StatisticDrift) -> str:
    before = one.baseline or one.reference
    if before is None:
        return ""
    shifts = np.abs(np.array(one.recent) - before)
    places = [int(place) for place in np.argsort(-shifts, kind="stable")[:_BINS_TOLD]]
    return ", ".join(
        f"{one.bins[place]}: {before[place]:.1%} to {one.recent[place]:.1%}"
        for place in places
        if shifts[place] >= 0.0005
    )


def _group_table(what: str, groups: Sequence[Group]) -> Iterator[str]:
    if not groups:
        return
    yield from table_lines(
        [
            [what, "recent", "texts", "flagged", "before", "texts", "flagged", "PSI", "points"],
            *[
                [
                    printable(group.name),
                    *_count_cells(group.recent),
                    *_count_cells(group.baseline),
                    f"{group.score_shift:+.3f}",
                    f"{100 * group.flagged_shift:+.2f}",
                ]
                for group in groups
            ],
        ],
        right=range(1, 9),
        indent="    ",
    )


def _count_cells(counts: Counts) -> list[str]:
    return [
        f"{counts.verdicts:,}",
        f"{counts.texts:,}",
        f"{counts.flagged_share:.1%}" if counts.verdicts else "",
    ]


def _index(psi: float | None) -> str:
    return "" if psi is None else f"{psi:.3f}"


def _counted(counts: Counts) -> str:
    if not counts.verdicts:
        return "no verdicts"
    return (
        f"{counts.verdicts:,} verdicts on {counts.texts:,} texts, "
        f"{counts.flagged_share:.2%} malicious or suspicious"
    )


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
