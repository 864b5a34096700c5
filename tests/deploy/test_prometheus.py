"""Rules and dashboards on a real Prometheus that scrapes a real worker and a real watch."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from stream_detector.events import Kind
from stream_detector.models.bundle import save_bundle
from stream_detector.models.reference import reference_of
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest
from support.observed import Observed, Shown
from support.processes import ROOT, wait_until
from support.prometheus import as_grafana_asks, promtool, shipped_dashboards, shipped_rules
from support.promql import selectors
from support.records import read_all

DEPLOY = ROOT / "deploy"
RULES = shipped_rules()
TESTS = sorted((ROOT / "tests" / "deploy" / "rules").glob("*.yml"))
PANELS = [
    (name, panel["title"], target["expr"])
    for name, dashboard in shipped_dashboards().items()
    for panel in dashboard["panels"]
    for target in panel.get("targets", ())
]
NEED_NOT_SHOW = {
    ("overview", "Alerts firing"): "nothing may be wrong",
    ("overview", "Errors"): "nothing went wrong",
    ("overview", "Certificates"): "all goes in the clear; see test_secured_scrape.py",
    ("detection", "Alerts against the day before"): "there is no day before",
    ("model", "Models that are announced"): "none is",
    ("model", "Switches and refusals"): "no model was refused",
    ("trainer", "The gate's checks of the last challenger"): "a retraining takes minutes",
    ("trainer", "Certificates"): "all goes in the clear",
}
"""Panels with a query that may be empty here, by dashboard and title, with the reason."""
NOT_IN_THE_CLEAR = {
    "stream_detector_announced_model_info",
    "stream_detector_certificate_expiry_timestamp_seconds",
    "topic:stream_detector_lag_records:predict30m",
}
"""What rules ask for or record and is not there without an announcement, without
certificates (see test_secured_scrape.py) and without a backlog of 10,000 records (see
rules/objective.yml)."""
_DATA_SECONDS = 120.0


def test_rules_and_settings_are_valid() -> None:
    for command in (
        ["check", "rules", *map(str, sorted(DEPLOY.glob("*/rules/*.yml")))],
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
    ):
        assert promtool(*command).returncode == 0


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    done = promtool("test", "rules", str(path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_cases_that_fire_and_that_do_not() -> None:
    firing, silent = set(), set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for each in test.get("alert_rule_test", ()):
                (firing if each["exp_alerts"] else silent).add(each["alertname"])
    alerts = {rule["alert"] for rule in RULES if "alert" in rule}

    assert firing == alerts
    assert silent == alerts


# --- on a real Prometheus -------------------------------------------------------------------


def save_bundle_with_reference(folder: Path, kind: Kind) -> Path:
    texts = [f"shop{number:04d}.example.org" for number in range(2000)]
    scores = np.random.default_rng(1).uniform(0.4, 0.6, len(texts))
    manifest = msgspec.structs.replace(
        small_manifest(kind), reference=reference_of(kind, texts, scores)
    )
    save_bundle(folder, manifest, ARCHITECTURE.initial_weights(0))
    return folder


@pytest.fixture(scope="module")
def observed(
    kafka: Any, session_topics: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    save_small_bundle(folder / "next", seed=1)
    corpus = folder / "corpus.csv"
    # Retraining on it fails immediately, which is an outcome too.
    corpus.write_text("neither,nor\n1,2\n")
    shown = Shown(
        bundles={kind: save_bundle_with_reference(folder / kind, kind) for kind in ("url", "host")},
        shadow=folder / "next",
        corpus=corpus,
        rate=200,
        # The samples come round again, and are to be scored again; weights at random score around
        # a half.
        environment={"STREAM_DETECTOR_CACHE_ENTRIES": "1"}
        | {
            f"STREAM_DETECTOR_{kind}_{name}_THRESHOLD": value
            for kind in ("URL", "HOST")
            for name, value in (("SUSPICIOUS", "0.4988"), ("MALICIOUS", "0.5007"))
        },
    )
    with Observed(kafka.bootstrap_servers, session_topics, folder, shown) as observed:
        yield observed


@pytest.mark.kafka
@pytest.mark.slow
def test_queries_of_dashboards_return_data(observed: Observed) -> None:
    wait_for_data(
        observed,
        [as_grafana_asks(query) for *panel, query in PANELS if tuple(panel) not in NEED_NOT_SHOW],
    )
    for *_, query in PANELS:
        observed.prometheus.query(as_grafana_asks(query))
    assert {tuple(panel) for *panel, _ in PANELS} >= set(NEED_NOT_SHOW)


@pytest.mark.kafka
@pytest.mark.slow
def test_variables_offer_the_scraped_instances(observed: Observed) -> None:
    offered = {}
    for dashboard in shipped_dashboards().values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = re.fullmatch(
                    r"label_values\((.+), (\w+)\)", variable["query"]["query"]
                ).groups()
                offered[variable["name"]] = observed.prometheus.label_values(
                    as_grafana_asks(selector), label
                )
    assert (offered["job"], offered["trainer_job"]) == (["detector"], ["trainer"])
    assert offered["group"] == [f"group-{observed.settings.input_topics[0]}"]
    assert offered["trainer_group"] == [f"group-{observed.settings.labels_topic}"]
    assert len({*offered["instance"], *offered["trainer_instance"]}) == 2


@pytest.mark.kafka
@pytest.mark.slow
def test_queries_show_only_the_selected_installation(observed: Observed) -> None:
    for *panel, query in PANELS:
        if "$job" in query or "$trainer_job" in query:
            found = observed.prometheus.query(as_grafana_asks(query, job="another"))
            # Without data they show nothing, or that the value is unknown.
            assert {series["value"][1] for series in found} <= {"0", "-1"}, panel


@pytest.mark.kafka
@pytest.mark.slow
def test_a_worker_has_fewer_than_600_series(observed: Observed) -> None:
    assert 200 < one_value(observed, 'scrape_samples_scraped{job="detector"}') < 600


@pytest.mark.kafka
@pytest.mark.slow
def test_rules_are_evaluated_on_existing_series(observed: Observed) -> None:
    recorded = [rule["record"] for rule in RULES if "record" in rule]
    asked_for = [selectors(rule["expr"]) for rule in RULES if "alert" in rule]
    asked_for_here = set().union(*asked_for)
    wait_for_data(observed, sorted({*recorded, *asked_for_here} - NOT_IN_THE_CLEAR))
    for rule in RULES:
        observed.prometheus.query(rule["expr"])
    evaluated = observed.prometheus.rules()
    assert len(evaluated) == len(RULES)
    assert {rule["health"] for rule in evaluated} == {"ok"}
    assert not [rule["lastError"] for rule in evaluated if rule.get("lastError")]


@pytest.mark.kafka
@pytest.mark.slow
def test_figures_agree_with_the_worker(observed: Observed) -> None:
    value = one_value(observed, "max(topic:stream_detector_late_records:ratio_rate5m)")
    assert 0 <= value <= 1
    trained = one_value(observed, 'stream_detector_model_created_timestamp_seconds{kind="url"}')
    assert trained == small_manifest().created_at.timestamp()
    assert one_value(observed, "sum(stream_detector_ready)") == 1
    assert one_value(observed, "max(stream_trainer_labels)") == 2
    assert one_value(observed, "max(stream_trainer_label_dead_letters_total)") == 1


@pytest.mark.kafka
@pytest.mark.slow
def test_alerts_have_the_domain_field_that_the_dashboard_names(observed: Observed) -> None:
    settings = observed.settings
    [panel] = [
        panel
        for panel in json.loads((DEPLOY / "grafana/dashboards/detection.json").read_text())[
            "panels"
        ]
        if panel["type"] == "text"
    ]
    assert "url.registered_domain" in panel["options"]["content"]
    alerts = read_all(settings.bootstrap_servers[0], settings.alerts_topic)
    assert alerts
    for record in alerts:
        domain = json.loads(record.value or b"")["url"]["registered_domain"]
        assert (record.key or b"").endswith(f"|{domain}".encode())


def wait_for_data(observed: Observed, queries: Sequence[str]) -> None:
    """Wait until each query has given data."""
    missing = list(queries)

    def all_there() -> bool:
        # All are needed in the end, so the first is enough to ask for.
        while missing and has_data(observed, missing[0]):
            missing.pop(0)
        return not missing

    try:
        wait_until(all_there, timeout=_DATA_SECONDS, what="data")
    except TimeoutError:
        pytest.fail(f"no data after {_DATA_SECONDS:.0f} s: {missing[0]}")


def has_data(observed: Observed, query: str) -> bool:
    """Whether there is a value that is a number."""
    found = observed.prometheus.query(query)
    return any(series["value"][1] != "NaN" for series in found)


def one_value(observed: Observed, query: str) -> float:
    [series] = observed.prometheus.query(query)
    return float(series["value"][1])
