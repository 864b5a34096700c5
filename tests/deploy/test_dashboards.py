"""The dashboards follow Grafana's schema, and panels show the right value for given series."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from support.prometheus import as_grafana_asks, promtool, shipped_dashboards
from support.promql import selectors

DASHBOARDS = shipped_dashboards()
SCHEMA = json.loads((Path(__file__).parent / "grafana-schema.json").read_text())
"""Generated from the types of @grafana/schema; its comment explains how."""
PANELS = [
    (name, panel)
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]


def faults(dashboard: dict[str, Any]) -> Iterator[str]:
    """The faults of a dashboard, its panels' options and their fields by Grafana's schema."""
    parts = [("dashboard", dashboard)]
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            parts.append((f"{panel['type']}.options", panel["options"]))
            custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
            if custom is not None:
                parts.append((f"{panel['type']}.custom", custom))
    for name, part in parts:
        for error in jsonschema.Draft7Validator(SCHEMA[name]).iter_errors(part):
            yield f"{name}: {error.message}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_follow_grafana_s_schema(name: str) -> None:
    assert list(faults(DASHBOARDS[name])) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("templating", "list", 1, "type"), "querry"),
        (("panels", 1, "gridPos", "w"), "wide"),
        (("panels", 1, "titel"), "Workers"),
        (("panels", 1, "options", "colorMode"), "rainbow"),
        (("panels", 1, "fieldConfig", "defaults", "noVal"), "none"),
    ],
)
def test_the_schema_refuses_unknown_names_and_values(path: tuple[Any, ...], value: str) -> None:
    spoilt = deepcopy(DASHBOARDS["overview"])
    *way, last = path
    part: Any = spoilt
    for step in way:
        part = part[step]
    part[last] = value

    assert list(faults(spoilt))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_has_variables_and_uses_the_selected_source(name: str) -> None:
    dashboard = DASHBOARDS[name]
    program = "trainer_" if name == "trainer" else ""
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}

    assert list(variables) == [
        "datasource",
        *(f"{program}{name}" for name in ("job", "group", "instance")),
    ]
    source = variables.pop("datasource")
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    for variable in variables.values():
        assert variable["multi"]
        assert variable["includeAll"]
    assert dashboard["annotations"]["list"]
    sources = [panel["datasource"] for panel in dashboard["panels"] if "datasource" in panel]
    sources += [variable["datasource"] for variable in variables.values()]
    assert {each["uid"] for each in sources} == {"${datasource}"}


@pytest.mark.parametrize(
    ("name", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS]
)
def test_queries_ask_only_for_the_selected_instances(name: str, panel: dict[str, Any]) -> None:
    program = "trainer_" if name == "trainer" else ""
    for target in panel.get("targets", ()):
        for selector in selectors(target["expr"]):
            if ":" in selector.partition("{")[0] or selector.startswith("ALERTS"):
                continue  # Of Prometheus' own rules.
            assert f'job=~"${program}job"' in selector
            assert selector.startswith("up{") or f'instance=~"${program}instance"' in selector


# --- what they show for given series ------------------------------------------------------------

_GROUP = [
    f'stream_detector_group_info{{job="detector", instance="{instance}", group="{group}"}}'
    for instance, group in (("a", "one"), ("b", "one"), ("c", "two"))
]
_AGE = 'stream_detector_record_age_seconds_{}{{job="detector", instance="a", topic="dns"{}}}'


def of_workers(name: str, *values: str, labels: str = "") -> dict[str, str]:
    """Series of the workers a, b and c."""
    return {
        f'{name}{{job="detector", instance="{instance}"{labels}}}': value
        for instance, value in zip("abc", values, strict=False)
    }


CASES = {
    "a rebalance is counted once": (
        ("overview", "Partitions of the workers", "rebalances"),
        of_workers("stream_detector_rebalances_total", "0x90 1x40", "0x90 1x40"),
        lambda value: 0.9 < value < 1.1,
    ),
    "a partition that nobody reads, of two groups": (
        ("overview", "Partitions that nobody reads", None),
        of_workers("stream_detector_topic_partitions", *["24x130"] * 3, labels=', topic="dns"')
        | of_workers(
            "stream_detector_owned_partitions", "20x130", "20x130", "24x130", labels=', topic="dns"'
        )
        | dict.fromkeys(_GROUP, "1x130"),
        lambda value: value == 4,
    ),
    "a stranger that both workers see is one": (
        ("overview", "Strangers in the group", None),
        of_workers("stream_detector_foreign_members", "1x130", "1x130", "0x130")
        | dict.fromkeys(_GROUP, "1x130"),
        lambda value: value == 1,
    ),
    "late now, after an hour in time": (
        ("overview", "Late now", None),
        {
            _AGE.format("bucket", ', le="60.0"'): "0+100x110 11000+50x20",
            _AGE.format("count", ""): "0+100x130",
        },
        lambda value: 0.49 < value < 0.51,
    ),
    "nothing done is not in time": (
        ("overview", "Late now", None),
        {
            _AGE.format("bucket", ', le="60.0"'): "0+100x110 11000x20",
            _AGE.format("count", ""): "0+100x110 11000x20",
        },
        lambda value: value == -1,
    ),
    "one of two workers has another model than is announced": (
        ("model", "Workers on another model", None),
        of_workers("stream_detector_model_info", *["1x130"] * 2, labels=', kind="url", sha256="o"')
        | {
            f'stream_detector_announced_model_info{{job="detector", instance="{instance}", '
            f'kind="url", sha256="{digest}"}}': "1x130"
            for instance, digest in (("a", "o"), ("b", "n"))
        },
        lambda value: value == 1,
    ),
    "a watch that starts again and again": (
        ("trainer", "Starts in the last hour", None),
        {
            'process_start_time_seconds{job="trainer", instance="t"}': "1x80 2x10 3x10 4x30",
            'process_start_time_seconds{job="detector", instance="a"}': "1+1x130",
        },
        lambda value: value == 3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_panels_show_the_right_value(case: str, tmp_path: Path) -> None:
    (dashboard, title, legend), series, expected = CASES[case]
    [panel] = [each for name, each in PANELS if (name, each["title"]) == (dashboard, title)]
    [query] = [
        target["expr"]
        for target in panel["targets"]
        if legend is None or target["legendFormat"] == legend
    ]
    # The test expects nothing, so promtool prints the value that it found.
    asked = {"expr": as_grafana_asks(query), "eval_time": "120m", "exp_samples": []}
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": [asked]}
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))

    told = promtool("test", "rules", str(path))

    [value] = [
        float(line.rpartition(" ")[2])
        for line in told.stderr.splitlines() + told.stdout.splitlines()
        if line.strip().startswith(("got:", "{} "))
    ]
    assert expected(value), told.stderr
