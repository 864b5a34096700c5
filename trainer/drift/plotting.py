"""The distributions of a drift report as one SVG: a row a model, a column a statistic."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.drift.findings import Drift, StatisticDrift
from trainer.report.plots import encoded

_CELL_INCHES = (3.4, 2.8)


def drift_plot(drift: Drift) -> bytes:
    """The plot of at least one model."""
    rows = len(drift.models)
    columns = max(len(model.statistics) for model in drift.models)
    figure = Figure(
        figsize=(_CELL_INCHES[0] * columns, _CELL_INCHES[1] * rows), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for model, cells in zip(drift.models, grid, strict=True):
        for axes in cells[len(model.statistics) :]:
            axes.set_axis_off()
        for one, axes in zip(model.statistics, cells, strict=False):
            _bars(one, axes)
            # A $ in a name would begin a formula.
            axes.set_title(f"{model.kind}, {one.name}")
        cells[0].set_ylabel(f"{model.model} {model.version}".replace("$", r"\$"), fontsize=8)
        # Not the first: the score may have no baseline.
        cells[1].legend(fontsize=8)
    return encoded(figure)


def _bars(one: StatisticDrift, axes: Axes) -> None:
    shown = [
        (name, shares, colour)
        for name, shares, colour in (
            ("reference", one.reference, "C0"),
            ("baseline", one.baseline, "C1"),
            ("recent", one.recent, "C2"),
        )
        if shares is not None
    ]
    width = 0.8 / len(shown)
    for place, (name, shares, colour) in enumerate(shown):
        left = [bin_place - 0.4 + width * (place + 0.5) for bin_place in range(len(shares))]
        axes.bar(left, shares, width, label=name, color=colour)
    axes.set_xticks(range(len(one.bins)), one.bins, rotation=60, ha="right", fontsize=7)
    axes.grid(axis="y", alpha=0.3)
