"""``make night`` in short, as a user runs it; and whatever is missed or false makes it fail."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from night.alerts import Fired
from night.failures import FAILURES, WORLDS
from night.play import Failure, judge
from night.report import faults, table
from night.shipped import RULES, inhibitions, shortened
from support.processes import ROOT
from support.prometheus import shipped_rules

FLOOD = "30 malicious URLs a second, after days with 9 alerts in 15 minutes"


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "night", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    output, errors = process.communicate(timeout=280)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def night(*arguments: str) -> subprocess.CompletedProcess[str]:
    return finished(start(*arguments))


def without(alert: str, folder: Path) -> Path:
    """The shipped rules but for one, in a new folder."""
    shutil.copytree(RULES, folder)
    for path in folder.glob("*.yml"):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != alert]
        path.write_text(yaml.safe_dump(rules))
    return folder


# --- as a user runs it ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def told_and_missed(tmp_path_factory: pytest.TempPathFactory):
    """A night with the shipped rules, and at the same time one without the rule it needs."""
    folder = tmp_path_factory.mktemp("night")
    told = start("--only", "flood", "--folder", str(folder / "told"))
    rules = without("AlertFlood", folder / "rules")
    options = ("--rules", str(rules), "--folder", str(folder / "missed"))
    missed = start("--only", "flood", *options)
    return finished(told), finished(missed), folder


@pytest.mark.kafka
@pytest.mark.slow
def test_a_failure_that_is_told_passes_and_its_row_has_text_and_times(told_and_missed):
    told, _, folder = told_and_missed
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.rstrip().endswith("passed")
    rows = [line for line in told.stdout.splitlines() if line.startswith("| ")]
    assert (folder / "told" / "table.md").read_text().splitlines() == rows
    _, _, row = rows
    summary = r"\d+ alerts within 15 minutes, and more are coming: over 10 times .*"
    assert re.fullmatch(rf"\| {FLOOD} \| AlertFlood \| \d+ s \| {summary} \| \d+ s \| none \|", row)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_failure_that_no_rule_tells_fails(told_and_missed):
    _, missed, _ = told_and_missed
    assert missed.returncode == 1, missed.stdout + missed.stderr
    assert "flood: MISSED: AlertFlood did not fire" in missed.stdout.splitlines()
    assert missed.stdout.rstrip().endswith("FAILED: 1 found")


def test_the_help_shows_how_to_play_one_failure():
    done = night("--help")
    assert done.returncode == 0
    assert 'make night ARGS="--only garbage"' in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--only", "sunshine"), ("--rules", "/nowhere"), ("--folder", str(ROOT))]
)
def test_wrong_options_are_refused(arguments: tuple[str, str]):
    done = night(*arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr


# --- rules with shortened windows -------------------------------------------------------------


def test_each_duration_is_divided_and_nothing_else_changes():
    rule = {
        "alert": "A",
        "expr": 'sum(rate(a_5m{b="1h"}[5m] offset 30m)) > 60 and predict_linear(c:d[1h], 1800) < 2',
        "for": "3m",
        "annotations": {"summary": "for 3m"},
    }
    assert shortened({"groups": [{"name": "g", "rules": [rule]}]}, 10)["groups"] == [
        {
            "name": "g",
            "rules": [
                rule
                | {
                    "expr": 'sum(rate(a_5m{b="1h"}[30000ms] offset 180000ms)) > 60 '
                    "and predict_linear(c:d[360000ms], 180) < 2",
                    "for": "18000ms",
                }
            ],
        }
    ]


def test_no_duration_of_the_shipped_rules_is_left_as_it_is():
    for path in sorted(RULES.glob("*.yml")):
        before = yaml.safe_load(path.read_text())
        after = shortened(before, 10)
        for group, shorter in zip(before["groups"], after["groups"], strict=True):
            assert group.keys() <= {"name", "rules"}, "an interval is not shortened"
            for rule, short in zip(group["rules"], shorter["rules"], strict=True):
                assert rule.keys() <= {"alert", "record", "expr", "for", "labels", "annotations"}
                assert rule["expr"].count("[") == short["expr"].count("ms]")
                assert rule["expr"].count("offset ") == short["expr"].count("offset ")
                assert ("for" in rule) == short.get("for", "").endswith("ms")


# --- judging ----------------------------------------------------------------------------------

FAILURE = Failure("f", "it fails", "records", lambda _: nullcontext(), ["A|B", "C"], also=["D"])


def fired(name: str, *, at: float = 1.0, resolved_at: float | None = 2.0, **labels: str) -> Fired:
    return Fired({"alertname": name, **labels}, f"{name} fires", at, resolved_at)


def found(*alerts: Fired, failure: Failure = FAILURE) -> list[str]:
    return list(faults(judge(failure, alerts, alerts, list(inhibitions()))))


def test_what_is_told_as_expected_passes():
    assert not found(fired("B"), fired("C"), fired("D"))


def test_a_missed_alert_fails():
    assert found(fired("C")) == ["f: MISSED: A or B did not fire"]


def test_another_alert_fails_in_a_failure_and_in_a_calm_stretch():
    assert found(fired("A"), fired("C"), fired("E")) == ["f: FALSE: E (E fires)"]
    calm = dataclasses.replace(FAILURE, expected=[], also=[])
    assert found(fired("A"), failure=calm) == ["f: FALSE: A (A fires)"]
    assert not found(failure=calm)


def test_an_alert_that_stays_after_the_end_fails_unless_its_window_is_long():
    stays = fired("C", resolved_at=None)
    assert found(fired("A"), stays) == ["f: STAYS: C fires on after the end"]
    assert not found(fired("A"), stays, failure=dataclasses.replace(FAILURE, lasts=["C"]))


def test_what_the_shipped_alertmanager_mutes_is_not_false():
    failure = dataclasses.replace(FAILURE, expected=["DetectorNotReady"])
    source = fired("DetectorNotReady", service="stream-detector")
    target = fired("LagUnknown", service="stream-detector", instance="w")
    assert not found(source, target, failure=failure)
    assert len(found(source, fired("LagUnknown", service="other"), failure=failure)) == 1
    late = fired("LagUnknown", service="stream-detector", at=9.0, resolved_at=10.0)
    assert len(found(source, late, failure=failure)) == 1


def test_each_failure_names_alerts_that_are_shipped_and_a_world_that_has_its_parts():
    alerts = {rule["alert"] for rule in shipped_rules() if "alert" in rule}
    worlds = {parts.name for parts in WORLDS}
    for failure in FAILURES:
        assert failure.alerts | set(failure.also) <= alerts, failure.name
        assert set(failure.lasts) <= failure.alerts, failure.name
        assert failure.world in worlds
    assert len({failure.name for failure in FAILURES}) == len(FAILURES)


def test_the_table_shows_a_false_alert_and_a_missed_one():
    rows = list(table([judge(FAILURE, [fired("E")], [], [])]))
    assert any("**missed**" in row and "**E, false**" in row for row in rows)


def test_the_night_document_has_a_row_for_each_failure():
    text = (ROOT / "deploy" / "night.md").read_text()
    for failure in FAILURES:
        assert f"| {failure.text} | {'' if failure.expected else 'none |'}" in text
