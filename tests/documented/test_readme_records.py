"""The README shows real records, figures of the model cards, settings and a shipper's file."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from stream_detector.settings.fields import Settings
from support.broker import KafkaBroker
from support.commands import environment_of
from support.documented import by_heading, indented_blocks
from support.processes import ROOT, free_port, start_module
from support.records import produce, read_all

README = (ROOT / "README.md").read_text()
SECTIONS = dict(by_heading(README.splitlines()))
PREFIX = "shown."
OF_THE_RUN = {"id", "partition", "detected_at", "@timestamp"}
"""Fields that differ between runs: they depend on the Kafka, the partition or the time."""
SETTINGS_SHOWN = range(10, 16)


def block_of(heading: str, start: str) -> Sequence[str]:
    """The one indented block below ``heading`` that begins with ``start``."""
    [block] = [each for each in indented_blocks(SECTIONS[heading]) if each[0].startswith(start)]
    return block


def table_of(heading: str) -> list[list[str]]:
    """The cells of the table below ``heading``, row by row, without the table's head."""
    rows = [line for line in SECTIONS[heading] if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def assert_shown(shown: Any, written: Any) -> None:
    """The worker wrote each field shown, with the same value; scores agree to three digits."""
    if isinstance(shown, dict):
        for name in shown:
            assert name in written
            if name not in OF_THE_RUN:
                assert_shown(shown[name], written[name])
    elif isinstance(shown, float):
        assert written == pytest.approx(shown, abs=0.001)
    else:
        assert written in (shown, f"{PREFIX}{shown}")


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_worker_makes_the_records_of_the_readme(kafka: KafkaBroker, tmp_path: Path) -> None:
    servers = kafka.bootstrap_servers
    given = {"BOOTSTRAP_SERVERS": servers, "TOPIC_PREFIX": PREFIX, "GROUP_ID": "shown"}
    environment = environment_of({**given, "HTTP_PORT": str(free_port())})
    topics = tmp_path / "topics"
    with start_module(
        "stream_detector", "topics", "create", log=topics, environment=environment
    ) as making:
        assert making.wait(60) == 0, making.tail()
    [line] = block_of("What it does", "1795766400")
    produce(servers, f"{PREFIX}url-events", [line.encode()])
    log = tmp_path / "worker"
    with start_module("stream_detector", "run", log=log, environment=environment) as worker:
        worker.wait_until(
            lambda: bool(read_all(servers, f"{PREFIX}url-alerts")), timeout=300, what="the alert"
        )
        worker.stop()

    for start, topic in (('{"id"', "url-verdicts"), ('{"@timestamp"', "url-alerts")):
        [record] = read_all(servers, f"{PREFIX}{topic}")
        written = json.loads(record.value or b"")
        shown = json.loads("".join(block_of("What it does", start)))
        assert_shown(shown, written)
        if topic == "url-verdicts":
            assert shown.keys() == written.keys()


@pytest.mark.parametrize(("row", "kind"), enumerate(["url", "host"]))
def test_figures_agree_with_the_model_cards(row: int, kind: str) -> None:
    card = (ROOT / "data" / "models" / f"{kind}-report" / "report.md").read_text()
    _, rows, auc, tpr_1, tpr_01, false_alerts, common, rare = table_of("How good it is")[row]
    metrics = json.loads((ROOT / "data" / "models" / kind / "manifest.json").read_text())["metrics"]
    [(of_thousand, of_a_million)] = re.findall(
        r"^\| malicious \| 1 in 1,000 \| (\S+) \| (\S+) \|$", card, re.M
    )
    [(of_ten_thousand, fewer)] = re.findall(
        r"^\| malicious \| 1 in 10,000 \| (\S+) \| (\S+) \|$", card, re.M
    )

    assert rows == f"{metrics['rows']:,.0f}"
    assert auc == f"{metrics['roc_auc']:.3f}"
    assert tpr_1 == f"{metrics['tpr_at_fpr_0.01']:.2f}"
    assert tpr_01 == f"{metrics['tpr_at_fpr_0.001']:.2f}"
    assert (common, false_alerts, rare) == (of_thousand, of_a_million, of_ten_thousand)
    assert re.search(rf"\b{fewer}\b", README)
    flagged, passed = re.findall(
        r"^\| malicious \| [\d.]+ \|.*\| ([\d,]+) \| ([\d,]+) \|$", card, re.M
    )[0]
    benign_flagged, benign_passed = (int(each.replace(",", "")) for each in (flagged, passed))
    rate = benign_flagged / (benign_flagged + benign_passed)
    assert f"{rate:.2%}" in README
    assert f"{rate * 999_000:,.0f}" == false_alerts


def test_the_settings_that_matter_exist() -> None:
    cells = [row[0] for row in table_of("The settings that matter")]
    names = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]

    assert len(names) in SETTINGS_SHOWN
    assert [name for name in names if name not in Settings.model_fields] == []


def test_filebeat_sends_lines_to_an_input_topic() -> None:
    settings = yaml.safe_load("\n".join(block_of("Run it on your Kafka", "# filebeat.yml")))

    output = settings["output.kafka"]
    assert output["topic"] in Settings().input_topics


def test_the_picture_of_the_flow_names_the_topics() -> None:
    settings = Settings()
    picture = ElementTree.parse(ROOT / "deploy" / "pictures" / "flow.svg").getroot()
    texts = {text for element in picture.iter() if (text := element.text)}

    assert {
        *settings.input_topics,
        settings.verdicts_topic,
        settings.alerts_topic,
        settings.dead_letters_topic,
        settings.labels_topic,
        settings.models_topic,
    } <= texts
