"""The kinds of panels that the dashboards are made of: a number, lines over time, a table, text.

A panel is read by somebody who does not know the program: each has a description, a unit, and where
no data is no fault, a text that says so.
"""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    FieldColor,
    Row,
    ThresholdsConfig,
)
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
from variables import SOURCE, selected

__all__ = [
    "FULL",
    "certificates",
    "limits",
    "lines",
    "measured",
    "note",
    "number",
    "row",
    "versions",
]

FULL = 24
"""Grafana's width, in columns."""

_NUMBER_HEIGHT, _LINES_HEIGHT = 4, 8
_UNKNOWN = -1
"""In place of what is not known, of which all values are at least 0."""
_GREEN, _AMBER, _RED, _PLAIN = "green", "orange", "red", "text"


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
    no_data: str | None = None,
) -> stat.Panel:
    """One number, coloured, with its course behind it; ``no_data`` in place of none at all."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
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
    if no_data is not None:
        panel = panel.no_value(no_data)
    return panel if decimals is None else panel.decimals(decimals)


def measured(
    title: str,
    description: str,
    expression: str,
    *,
    known: str,
    otherwise: str = "unknown",
    otherwise_colour: str = _RED,
    unit: str = "short",
    colours: ThresholdsConfig | None = None,
    width: int = 4,
) -> stat.Panel:
    """One number that may not be known now: said then, where Grafana would show the last."""
    unknown = ValueMap({str(_UNKNOWN): ValueMappingResult(text=otherwise, color=otherwise_colour)})
    return number(
        title,
        description,
        f"({expression} and {known}) or vector({_UNKNOWN})",
        unit=unit,
        colours=colours,
        width=width,
    ).mappings([unknown])


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
    no_data: str | None = None,
) -> timeseries.Panel:
    """Lines over time: ``queries`` are expressions by legend, which may hold ``{{label}}``.

    A red line is drawn at ``limit``. The axis begins at 0 unless lines are ``signed``; ``no_data``
    stands in place of no line at all.
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
        panel = panel.thresholds(limits(red=limit)).thresholds_style(style)
    if no_data is not None:
        panel = panel.no_value(no_data)
    if highest is not None:
        panel = panel.max(highest)
    if not signed:
        panel = panel.min(0)
    for name, (legend, expression) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(expression, legend, name))
    return panel


def certificates(job: str, *, width: int) -> timeseries.Panel:
    """Time that those of a job's processes have left."""
    return lines(
        "Certificates",
        "Time until those in use expire, the first of each kind; a ticket below 14 days, a page "
        "below 0.",
        {
            "{{certificate}}": "min by (certificate) "
            f'(stream_detector_certificate_expiry_timestamp_seconds{{job="{job}"}}) - time()'
        },
        unit="s",
        width=width,
        limit=14 * 86_400,
        signed=True,
        no_data="no TLS: no certificate is in use",
    )


def versions(
    title: str,
    description: str,
    expression: str,
    columns: Mapping[str, str],
    *,
    width: int = 12,
    height: int = _LINES_HEIGHT,
    no_data: str | None = None,
) -> table.Panel:
    """A table of what there is now, by label: ``columns`` are headings by label, in order."""
    hidden = {"Time": True}
    order = {label: place for place, label in enumerate(columns)}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .span(width)
        .height(height)
        .cell_options(TableAutoCellOptions())
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
    return panel if no_data is None else panel.no_value(no_data)


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
    expression = selected(" ".join(expression.split()))
    return Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(name).range()
