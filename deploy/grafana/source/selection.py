"""Queries limited to the job and the instances that the dashboard's variables select.

Several installations may share a Grafana and a Prometheus. The series that Prometheus' rules record
stay as they are: alerts compare them over all that this Prometheus scrapes.
"""

import re
from typing import NamedTuple

from grafana_foundation_sdk.models.common import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


class _Program(NamedTuple):
    """One of the two programs, with the names of the variables that select its processes."""

    info: str
    """Metric that each process exports once, with its consumer group."""
    job: str
    group: str
    instance: str


# The trainer's variables have other names: a link takes a dashboard's variables to the next one.
PROGRAMS = {
    "detector": _Program("stream_detector_group_info", "job", "group", "instance"),
    "trainer": _Program(
        "stream_trainer_group_info", "trainer_job", "trainer_group", "trainer_instance"
    ),
}
_EXPORTED = re.compile(
    r"(?<![\w:$])(stream_detector_\w+|stream_trainer_\w+|process_\w+|up)(?![\w:(])(\{[^{}]*\})?"
)
_JOB = re.compile(r'job="(\w+)",? ?')


def selected(expression: str) -> str:
    """Add the selectors of the variables to each exported metric in ``expression``.

    ``process_...`` and ``up`` belong to both programs: their job names one, whatever the job is
    called in this installation.
    """
    return _EXPORTED.sub(_selector, expression)


def _selector(found: re.Match[str]) -> str:
    name, labels = found[1], (found[2] or "{}")[1:-1]
    job = _JOB.search(labels)
    program = PROGRAMS[
        job[1] if job else "trainer" if name.startswith("stream_trainer") else "detector"
    ]
    selectors = [f'job=~"${program.job}"']
    # A process that does not answer exports no group, so the list of instances lacks it.
    if name != "up":
        selectors.append(f'instance=~"${program.instance}"')
    if rest := _JOB.sub("", labels):
        selectors.append(rest)
    return f"{name}{{{', '.join(selectors)}}}"
