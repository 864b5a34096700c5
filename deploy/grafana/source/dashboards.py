"""A dashboard from its YAML file: variables, rows and panels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import panels
from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from selection import PROGRAMS, SOURCE

_TAG = "stream-detector"
_KINDS = {
    "number": panels.number,
    "lines": panels.lines,
    "table": panels.table_of,
    "text": panels.note,
}


def dashboard(
    *, uid: str, title: str, description: str, program: str, rows: Sequence[Mapping[str, Any]]
) -> Dashboard:
    """A dashboard of the last hour, refreshed every 30 s, that links to the others.

    Each panel in ``rows`` has the key of its kind, with the title as its value; its other keys are
    the arguments of the function that makes this kind.
    """
    others = (
        DashboardLink("stream-detector")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .keep_time(True)
        .include_vars(True)
    )
    # What people noted in Grafana, such as an update.
    notes = (
        AnnotationQuery()
        .built_in(1)
        .type("dashboard")
        .name("Annotations & Alerts")
        .datasource(DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True)
        .hide(True)
        .icon_color("rgba(0, 211, 255, 1)")
    )
    made = (
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
        .annotation(notes)
        .with_variable(
            DatasourceVariable("datasource").label("Data source").type("prometheus").multi(False)
        )
    )
    for variable in _variables(program):
        made = made.with_variable(variable)
    for row in rows:
        made = made.with_row(Row(row["title"]))
        for options in row["panels"]:
            [kind] = _KINDS.keys() & options
            made = made.with_panel(
                _KINDS[kind](title=options[kind], **{k: v for k, v in options.items() if k != kind})
            )
    return made


def _variables(name: str) -> Iterator[QueryVariable]:
    """Job, group and instance: several values each, at first all."""
    program = PROGRAMS[name]
    in_job = f'job=~"${program.job}"'
    in_group = f'{in_job}, group=~"${program.group}"'
    for variable, label, selector in (
        (program.job, "job", program.info),
        (program.group, "group", f"{program.info}{{{in_job}}}"),
        (program.instance, "instance", f"{program.info}{{{in_group}}}"),
    ):
        query = f"label_values({selector}, {label})"
        yield (
            QueryVariable(variable)
            .label(label.capitalize())
            .datasource(SOURCE)
            .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor"})
            .multi(True)
            .include_all(True)
            .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
