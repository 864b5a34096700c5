"""An empty dashboard with its variables, and queries that are held to them.

Several installations may share a Grafana and a Prometheus, so nothing is asked for without the job
and the instances that are selected. What Prometheus' rules record is not theirs: it is what alerts
compare, over all that this Prometheus scrapes.
"""

import re
from typing import Literal, NamedTuple

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

__all__ = ["SOURCE", "dashboard", "selected"]

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_TAG = "stream-detector"


class _Program(NamedTuple):
    """One of the two programs, with the names of the variables that select its processes."""

    info: str
    """Metric that each process has once, with its consumer group."""
    job: str
    group: str
    instance: str

    @property
    def filter(self) -> str:
        """Of a selector."""
        return f'job=~"${self.job}", instance=~"${self.instance}"'


# Other names for the trainer: a link takes a dashboard's variables along to the next.
_PROGRAMS = {
    "detector": _Program("stream_detector_group_info", "job", "group", "instance"),
    "trainer": _Program(
        "stream_trainer_group_info", "trainer_job", "trainer_group", "trainer_instance"
    ),
}
_EXPORTED = re.compile(
    r"(?<![\w:$])(stream_detector_\w+|stream_trainer_\w+|process_\w+|up)(?![\w:(])(\{[^{}]*\})?"
)
_JOB = re.compile(r'job="(\w+)",? ?')


def dashboard(
    uid: str, title: str, description: str, *, of: Literal["detector", "trainer"]
) -> Dashboard:
    """An empty dashboard that links to the others; of the last hour, anew every 30 s."""
    others = (
        DashboardLink("stream-detector")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .keep_time(True)
        .include_vars(True)
    )
    program = _PROGRAMS[of]
    source = DatasourceVariable("datasource").label("Data source").type("prometheus").multi(False)
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
        .annotation(_notes())
        .with_variable(source)
    )
    in_job = f'job=~"${program.job}"'
    in_group = f'{in_job}, group=~"${program.group}"'
    for name, label, select, of_label in (
        (program.job, "Job", program.info, "job"),
        (program.group, "Group", f"{program.info}{{{in_job}}}", "group"),
        (program.instance, "Instance", f"{program.info}{{{in_group}}}", "instance"),
    ):
        made = made.with_variable(_variable(name, label, f"label_values({select}, {of_label})"))
    return made


def selected(expression: str) -> str:
    """``expression`` with each exported metric held to what the variables select.

    Whose ``process_...`` and ``up`` are meant is said by their job, whatever that is called.
    """

    def held(found: re.Match[str]) -> str:
        name, labels = found[1], (found[2] or "{}")[1:-1]
        job = _JOB.search(labels)
        whose = job[1] if job else "trainer" if name.startswith("stream_trainer") else "detector"
        program = _PROGRAMS[whose]
        # One that does not answer tells no group, and is not among the instances of one.
        own = f'job=~"${program.job}"' if name == "up" else program.filter
        rest = _JOB.sub("", labels)
        return f"{name}{{{', '.join(filter(None, (own, rest)))}}}"

    return _EXPORTED.sub(held, expression)


def _variable(name: str, label: str, query: str) -> QueryVariable:
    """Several values, at first all there are; looked for again when the time range changes."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor"})
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _notes() -> AnnotationQuery:
    """What people noted in Grafana, such as an update."""
    return (
        AnnotationQuery()
        .built_in(1)
        .type("dashboard")
        .name("Annotations & Alerts")
        .datasource(DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True)
        .hide(True)
        .icon_color("rgba(0, 211, 255, 1)")
    )
