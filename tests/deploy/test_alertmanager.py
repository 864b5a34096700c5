"""The example for Alertmanager, tested with amtool: who gets which alert."""

import re
import subprocess
from collections.abc import Mapping

import yaml

from support.processes import ROOT
from support.prometheus import FOLDER, shipped_rules

SETTINGS = ROOT / "deploy" / "prometheus" / "alertmanager.yml"
ALERTS = [rule for rule in shipped_rules() if "alert" in rule]
RECEIVERS = {"page": "pager", "ticket": "tickets"}


def test_alertmanager_accepts_the_example() -> None:
    done = amtool("check-config", str(SETTINGS))

    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_reach_the_pager_and_tickets_only_the_tickets() -> None:
    reached = {
        alert["alert"]: receivers_of({"alertname": alert["alert"], **alert["labels"]})
        for alert in ALERTS
    }

    assert reached == {alert["alert"]: RECEIVERS[alert["labels"]["severity"]] for alert in ALERTS}
    assert set(reached.values()) == {"pager", "tickets"}


def test_the_pager_of_the_detector_gets_no_page_of_another_service() -> None:
    page = {"alertname": "DiskFull", "severity": "page", "service": "mail"}

    assert receivers_of(page) == "tickets"


def test_a_missing_topic_mutes_no_page_of_other_topics() -> None:
    of_topic = {rule["alert"] for rule in ALERTS if "topic" in rule["annotations"]["summary"]}
    pages = {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "page"}

    for rule in yaml.safe_load(SETTINGS.read_text())["inhibit_rules"]:
        if rule["source_matchers"] == ['alertname="InputTopicMissing"']:
            (pattern,) = rule["target_matchers"]
            hidden = set(re.findall(r"[A-Z][A-Za-z]+", pattern))
            assert "topic" in rule["equal"]
            assert not (hidden & pages) - of_topic


def receivers_of(labels: Mapping[str, str]) -> str:
    """The receivers of an alert, in the order of the routes, separated by commas."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    done = amtool("config", "routes", "test", f"--config.file={SETTINGS}", *pairs)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FOLDER / "amtool", *arguments], capture_output=True, text=True, check=False
    )
