"""The README's records are what a worker makes of its input line, and its table is that of the cards.

The test writes the input line to Kafka, starts a worker with the shipped models, and compares.
"""

import json
import os
import re
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
OF_THE_RUN = {"id", "cluster", "detected_at", "time", "ingested"}
"""Fields that name the Kafka or the hour of a run."""


def blocks_of(heading: str) -> list[list[str]]:
    [lines] = [lines for title, lines in by_heading(README.splitlines()) if title == heading]
    return list(indented_blocks(lines))


def record_of(word: str) -> dict[str, Any]:
    """The JSON that the README shows of a verdict or an alert."""
    [text] = [
        "\n".join(block)
        for block in blocks_of("What it does")
        if block[0].startswith("{") and f'"{word}"' in "\n".join(block)
    ]
    record: dict[str, Any] = json.loads(text)
    return record


def input_line() -> str:
    return "1764230400.123     85 10.26.1.80 TCP_MISS/200 4210 GET http://paypal-account-billing-9ehi8d.click/track/?parcel=c1ca97c56706217d - HIER_DIRECT/203.0.113.9 text/html"


def comparable(record: Any) -> Any:
    """``record`` without what differs from run to run; scores to three digits."""
    if isinstance(record, dict):
        return {
            name: comparable(value)
            for name, value in record.items()
            if name not in {"id", "detected_at", "@timestamp", "created"}
        }
    return round(record, 3) if isinstance(record, float) else record


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_worker_makes_the_records_of_the_readme(kafka: KafkaBroker, tmp_path: Path) -> None:
    servers = kafka.bootstrap_servers
    given = {"BOOTSTRAP_SERVERS": servers, "TOPIC_PREFIX": "shown.", "GROUP_ID": "shown"}
    given["HTTP_PORT"] = str(free_port())
    environment = environment_of(given)
    with start_module(
        "stream_detector", "topics", "create", log=tmp_path / "topics", environment=environment
    ) as making:
        assert making.wait(60) == 0
    produce(servers, "shown.url-events", [input_line().encode()])
    with start_module(
        "stream_detector", "run", log=tmp_path / "worker", environment=environment
    ) as worker:
        worker.wait_until(
            lambda: bool(read_all(servers, "shown.url-alerts")), timeout=300, what="the alert"
        )
        worker.stop()

    written = {
        word: json.loads(read_all(servers, f"shown.url-{word}s")[0].value or b"")
        for word in ("verdict", "alert")
    }
    if os.environ.get("SHOW"):
        print(json.dumps(written, indent=2))
    for word, record in written.items():
        assert comparable(record_of(word)) == comparable(record)
