"""The kinds of panels that the dashboards are made of: a number, lines over time, a table, text.

A panel is read by somebody who does not know the program: each has a description, and a unit.
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    FieldColor,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataTransformerConfig,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

__all__ = [
    "FULL",
    "dashboard",
    "limits",
    "lines",
    "measured",
    "mishaps",
    "note",
    "number",
    "row",
    "versions",
]

FULL = 24
"""Grafana's width, in columns."""

_TAG = "stream-detector"
_SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
_NUMBER_HEIGHT, _LINES_HEIGHT = 4, 8
_UNKNOWN = -1
"""In place of what is not known, of which all values are at least 0."""
_GREEN, _AMBER, _RED, _PLAIN = "green", "orange", "red", "text"


def dashboard(uid: str, title: str, description: str) -> Dashboard:
    """An empty dashboard that links to the others; of the last hour, anew every 30 s."""
    others = (
        DashboardLink("stream-detector")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .keep_time(True)
    )
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .link(others)
    )


def row(title: str) -> Row:
    """A heading."""
    return Row(title)


def limits(
    *, amber: float | None = None, red: float | None = None, falling: bool = False
) -> ThresholdsConfig:
    """Colours from a value on; ``falling``: below it."""
    known = [(amber, _AMBER), (red, _RED)]
    steps = [(value, colour) for value, colour in known if value is not None]
    if falling:
        # From the worst up: each colour ends where its value begins.
        steps = sorted(steps)
        colours = [*(colour for _, colour in steps), _GREEN]
        bounds = [None, *(value for value, _ in steps)]
        found = list(zip(bounds, colours, strict=True))
    else:
        found = [(None, _GREEN if steps else _PLAIN), *steps]
    return (
        ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(*each) for each in found])
    )


def number(
    title: str,
    description: str,
    expression: str,
    *,
    unit: str = "short",
    colours: ThresholdsConfig | None = None,
    width: int = 4,
    decimals: int | None = None,
) -> stat.Panel:
    """One number, coloured, with its course behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .span(width)
        .height(_NUMBER_HEIGHT)
        .thresholds(colours or limits())
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(expression, "", "A"))
    )
    return panel if decimals is None else panel.decimals(decimals)


def measured(
    title: str,
    description: str,
    expression: str,
    *,
    known: str,
    unit: str = "short",
    colours: ThresholdsConfig | None = None,
    width: int = 4,
) -> stat.Panel:
    """One number that may not be known now: said in red then, where Grafana would show the last."""
    unknown = ValueMap({str(_UNKNOWN): ValueMappingResult(text="unknown", color=_RED)})
    return number(
        title,
        description,
        f"({expression} and {known}) or vector({_UNKNOWN})",
        unit=unit,
        colours=colours,
        width=width,
    ).mappings([unknown])


def mishaps(title: str, description: str, expression: str) -> stat.Panel:
    """How often something went wrong in a while: amber from the first on."""
    colours = limits(amber=1)
    return number(title, description, expression, colours=colours, width=6, decimals=0)


def lines(
    title: str,
    description: str,
    queries: Mapping[str, str],
    *,
    unit: str = "short",
    width: int = 12,
    limit: float | None = None,
    highest: float | None = None,
    signed: bool = False,
) -> timeseries.Panel:
    """Lines over time: ``queries`` are expressions by legend, which may hold ``{{label}}``.

    The axis begins at 0 unless they are ``signed``.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
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
        panel = panel.thresholds(limits(red=limit)).thresholds_style(style)
    if highest is not None:
        panel = panel.max(highest)
    if not signed:
        panel = panel.min(0)
    for name, (legend, expression) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(expression, legend, name))
    return panel


def versions(
    title: str,
    description: str,
    expression: str,
    columns: Mapping[str, str],
    *,
    width: int = 12,
) -> table.Panel:
    """A table of what there is now, by label: ``columns`` are headings by label, in order."""
    hidden = {"Time": True}
    order = {label: place for place, label in enumerate(columns)}
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .span(width)
        .height(_LINES_HEIGHT)
        .with_target(_query(expression, "", "A").instant().format(PromQueryFormat.TABLE))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": hidden,
                    "indexByName": order,
                    "renameByName": dict(columns),
                },
            )
        )
    )


def note(
    title: str, lines_of_text: Sequence[str], *, width: int = FULL, height: int = 8
) -> text.Panel:
    """Text, as Markdown."""
    return (
        text.Panel()
        .title(title)
        .mode(TextMode.MARKDOWN)
        .content("\n".join(lines_of_text))
        .span(width)
        .height(height)
    )


def _query(expression: str, legend: str, name: str) -> Dataquery:
    expression = " ".join(expression.split())
    return Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(name).range()
