"""The kinds of panels: a number, lines over time, a table, text.

Somebody who does not know the program reads them. Each has a description, a unit, and where having
no data is no fault, a text that says so.
"""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TableAutoCellOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode
from selection import SOURCE, selected

_NUMBER_HEIGHT, _LINES_HEIGHT = 4, 8
_UNKNOWN = -1
"""Stands for an unknown value: all known values are at least 0."""


def number(
    *,
    title: str,
    description: str,
    query: str,
    unit: str = "short",
    amber: float | None = None,
    red: float | None = None,
    falling: bool = False,
    width: int = 4,
    decimals: int | None = None,
    no_data: str | None = None,
    known: str | None = None,
    otherwise: str = "unknown",
    otherwise_colour: str = "red",
) -> stat.Panel:
    """One number over its graph, coloured from ``amber`` and ``red`` on, or below if ``falling``.

    Where the query ``known`` gives nothing, the panel says ``otherwise``: Grafana would go on
    showing the last value.
    """
    if known is not None:
        query = f"({query} and {known}) or vector({_UNKNOWN})"
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(_NUMBER_HEIGHT)
        .thresholds(_limits(amber=amber, red=red, falling=falling))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(query))
    )
    if known is not None:
        said = ValueMappingResult(text=otherwise, color=otherwise_colour)
        panel = panel.mappings([ValueMap({str(_UNKNOWN): said})])
    if no_data is not None:
        panel = panel.no_value(no_data)
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    *,
    title: str,
    description: str,
    queries: Mapping[str, str],
    unit: str = "short",
    width: int = 12,
    limit: float | None = None,
    highest: float | None = None,
    signed: bool = False,
    no_data: str | None = None,
) -> timeseries.Panel:
    """Lines over time: ``queries`` are expressions by legend, which may hold ``{{label}}``.

    A dashed red line marks ``limit``. The axis begins at 0 unless the lines are ``signed``.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(_LINES_HEIGHT)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if limit is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_limits(red=limit)).thresholds_style(style)
    if no_data is not None:
        panel = panel.no_value(no_data)
    if highest is not None:
        panel = panel.max(highest)
    if not signed:
        panel = panel.min(0)
    for name, (legend, query) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(query, legend, name))
    return panel


def table_of(
    *,
    title: str,
    description: str,
    query: str,
    columns: Mapping[str, str],
    width: int = 12,
    height: int = _LINES_HEIGHT,
    no_data: str | None = None,
) -> table.Panel:
    """A table of the present values by label: ``columns`` are headings by label, in order."""
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": {label: place for place, label in enumerate(columns)},
        "renameByName": dict(columns),
    }
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .cell_options(TableAutoCellOptions())
        .with_target(_query(query).instant().format(PromQueryFormat.TABLE))
        .with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    )
    return panel if no_data is None else panel.no_value(no_data)


def note(*, title: str, content: str, width: int, height: int) -> text.Panel:
    """Text, as Markdown."""
    panel = text.Panel().title(title).mode(TextMode.MARKDOWN).content(content.rstrip("\n"))
    return panel.span(width).height(height)


def _limits(
    *, amber: float | None = None, red: float | None = None, falling: bool = False
) -> ThresholdsConfig:
    """Colours from a value on; if ``falling``, below it."""
    steps = [step for step in ((amber, "orange"), (red, "red")) if step[0] is not None]
    if falling:
        # Grafana colours upwards from a bound: the worst colour begins at the bottom, and each
        # ends where its bound begins the next.
        bounds, colours = zip(*sorted(steps), strict=True)
        steps = list(zip((None, *bounds), (*colours, "green"), strict=True))
    else:
        steps = [(None, "green" if steps else "text"), *steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(*s) for s in steps])


def _query(expression: str, legend: str = "__auto", name: str = "A") -> Dataquery:
    return Dataquery().expr(selected(expression)).legend_format(legend).ref_id(name).range()
