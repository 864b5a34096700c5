"""Code, rules, dashboards and texts use the same names of metrics."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from stream_detector.metrics import Metrics
from support.documented import MARKDOWN_FILES
from support.processes import ROOT
from support.prometheus import shipped_dashboards, shipped_rules
from support.promql import metric_names
from trainer.watching.watch_metrics import WatchMetrics

DEPLOY = ROOT / "deploy"
RULES = shipped_rules()
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARDS = shipped_dashboards()
OF_PROMETHEUS = {"up", "ALERTS"}
"""By its documentation; all are stable there."""
TEXTS = [ROOT / file for file in (*MARKDOWN_FILES, "deploy/runbook.md")]


def exported(registry: CollectorRegistry) -> Iterator[str]:
    """Names of the series that a registry can export."""
    endings = {
        **{"counter": ["_total"], "gauge": [""], "summary": ["_count", "_sum"]},
        "histogram": ["_bucket", "_count", "_sum"],
    }
    for family in registry.collect():
        for ending in endings[family.type]:
            yield family.name + ending


EXPORTED = {*exported(Metrics().registry), *exported(WatchMetrics().registry)}
KNOWN = EXPORTED | RECORDED | OF_PROMETHEUS


def queries(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def families() -> dict[str, str]:
    """Documentation of each family, by its name in the text format."""
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.documentation
        for registry in (Metrics().registry, WatchMetrics().registry)
        for family in registry.collect()
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_use_existing_metrics(rule: dict[str, Any]) -> None:
    names = metric_names(rule["expr"])

    assert names
    assert names <= KNOWN


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_use_existing_metrics(name: str) -> None:
    expressions = list(queries(DASHBOARDS[name]))

    assert len(expressions) > 10
    for expression in expressions:
        assert metric_names(expression) <= KNOWN, expression


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_texts_name_existing_metrics(path: Path) -> None:
    pattern = r"(?:\b[a-z0-9_]+:)?\bstream_(?:detector|trainer)_[a-z0-9_]+(?::[a-z0-9_]+)?\b"

    assert set(re.findall(pattern, path.read_text())) <= KNOWN | set(families())


def test_jobs_have_the_names_in_the_settings_of_prometheus() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    monitors, services = (
        list(yaml.safe_load_all((DEPLOY / f"kubernetes/base/{name}.yaml").read_text()))
        for name in ("service-monitor", "metrics-service")
    )
    asked_for = [rule["expr"] for rule in RULES]
    asked_for += [query for each in DASHBOARDS.values() for query in queries(each)]

    jobs = set(re.findall(r'\bjob="(\w+)"', "\n".join(asked_for)))

    assert jobs == {"detector", "trainer"}
    assert jobs <= {job["job_name"] for job in settings["scrape_configs"]}
    assert jobs == {
        service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        for monitor, service in zip(monitors, services, strict=True)
    }


def test_recorded_series_are_used() -> None:
    used = {name for rule in RULES for name in metric_names(rule["expr"])}
    used |= {
        name
        for each in DASHBOARDS.values()
        for query in queries(each)
        for name in metric_names(query)
    }

    assert used >= RECORDED


def test_exported_metrics_are_documented() -> None:
    reference = (DEPLOY / "metrics.md").read_text()

    for name, documentation in families().items():
        assert f"| `{name}` |" in reference
        assert documentation in reference
    for name in RECORDED:
        assert f"| `{name}` |" in reference


def test_generated_files_are_up_to_date(
    tmp_path: Path,
) -> None:
    for script, made in (
        (DEPLOY / "metrics.py", "metrics.md"),
        (DEPLOY / "grafana" / "source", ""),
        (DEPLOY / "kubernetes" / "prometheus_rules.py", "prometheus-rules.yaml"),
    ):
        command = [sys.executable, script, tmp_path / made]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)

    assert (tmp_path / "metrics.md").read_text() == (DEPLOY / "metrics.md").read_text()
    shipped = DEPLOY / "kubernetes" / "base" / "prometheus-rules.yaml"
    assert (tmp_path / shipped.name).read_text() == shipped.read_text(), "run `make dashboards`"
    assert {path.stem for path in tmp_path.glob("*.json")} == set(DASHBOARDS)
    for path in tmp_path.glob("*.json"):
        kept = DEPLOY / "grafana" / "dashboards" / path.name
        assert path.read_text() == kept.read_text(), "run `make dashboards`"


@pytest.mark.parametrize(
    ("alert", "dashboard", "panel"),
    [
        ("InputSilent", "overview", "Silent topics"),
        ("AlertFlood", "detection", "Alerts against the day before"),
    ],
)
def test_the_panel_of_an_alert_has_the_same_query(alert: str, dashboard: str, panel: str) -> None:
    [shown] = [each for each in DASHBOARDS[dashboard]["panels"] if each["title"] == panel]
    drawn = "".join("".join(target["expr"].split()) for target in shown["targets"])

    asked = "".join(ALERTS[alert]["expr"].split())

    if alert == "AlertFlood":  # Drawn as lines: what is compared, and with what.
        asked = asked.partition(">10*")[2].partition("andlast_over_time")[0]
    assert asked
    assert asked in drawn


def test_a_number_that_may_be_below_1_is_not_shown_in_thousandths() -> None:
    humanized = {
        name for name, rule in ALERTS.items() if "| humanize }}" in rule["annotations"]["summary"]
    }

    assert humanized == {"LagWithoutCommits"}  # Whole records.


def test_alerts_have_severity_summary_and_runbook() -> None:
    runbook = (DEPLOY / "runbook.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=\n##|\Z)", runbook, re.M | re.S))

    assert set(sections) == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["labels"] == {
            "severity": rule["labels"]["severity"],
            "service": "stream-detector",
        }
        assert rule["labels"]["severity"] in {"page", "ticket"}
        # A model is served or not, so the summary has no number.
        assert ("$value" in rule["annotations"]["summary"]) == (name != "ModelNotServed")
        # GitHub's anchor of a heading is the heading in small letters.
        assert rule["annotations"]["runbook_url"] == f"deploy/runbook.md#{name.lower()}"
        section = sections[name]
        assert section.startswith("**Look at**: ")
        assert re.findall(r"^- \*\*(Means|Do|Escalate)\*\*: ", section, re.M) == [
            "Means",
            "Do",
            "Escalate",
        ]


def test_the_example_for_alertmanager_names_existing_alerts_and_labels() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "alertmanager.yml").read_text())
    receivers = {receiver["name"] for receiver in settings["receivers"]}
    routes = [settings["route"], *settings["route"]["routes"]]

    assert receivers == {route["receiver"] for route in routes}
    for rule in settings["inhibit_rules"]:
        sources, targets = (
            _alerts_that_match(rule[f"{side}_matchers"]) for side in ("source", "target")
        )
        assert not sources & targets
        for label in set(rule["equal"]) - {"service"}:
            for name in sources | targets:
                # Without the label an alert would never mute another, or be muted.
                assert label in ALERTS[name]["annotations"]["summary"], (name, label)


def _alerts_that_match(matchers: list[str]) -> set[str]:
    found = [re.fullmatch(r'(alertname|store)=~?"(.*)"', matcher) for matcher in matchers]
    (pattern,) = [each[2] for each in found if each[1] == "alertname"]  # type: ignore[index]
    matched = {
        one: {name for name in ALERTS if re.fullmatch(one, name)} for one in pattern.split("|")
    }
    assert all(matched.values()), matched
    return set().union(*matched.values())


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_are_explained_and_do_not_overlap(name: str) -> None:
    dashboard = DASHBOARDS[name]
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] not in {"row", "text"}:
            assert panel["description"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["targets"]
    assert dashboard["uid"] == f"stream-detector-{name}"
    assert len({panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"}) >= 3
