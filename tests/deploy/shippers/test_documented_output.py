"""Shippers that the tests do not run: what they write by their documentation is read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.shippers import CONFIGURATIONS, Requested, read_by

LINE = (
    "1767323045.250     43 10.8.0.4 TCP_MISS/200 812 GET http://pay.shop.example/in?id=4 - "
    "HIER_DIRECT/192.0.2.9 text/html"
)
QUERY = "Jan  2 03:04:05 dnsmasq[812]: 7 10.8.0.4/40000 query[A] cdn.shop.example from 10.8.0.4"
URL = Requested("url", "http://pay.shop.example/in?id=4", "10.8.0.4")
NAME = Requested("host", "cdn.shop.example", "10.8.0.4")
INSIDE = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)
SHIPPED = datetime(2026, 1, 2, 3, 4, 6, 500_000, tzinfo=UTC)

ENVELOPES: dict[str, dict[str, Any]] = {
    # https://docs.fluentbit.io/manual/pipeline/outputs/kafka
    "fluent-bit.yaml": {"@timestamp": "2026-01-02T03:04:06.500000Z", "log": "LINE"},
    # https://vector.dev/docs/reference/configuration/sources/file/#output-data
    "vector.yaml": {
        "file": "/var/log/squid/access.log",
        "host": "collector.corp.example",
        "message": "LINE",
        "source_type": "file",
        "timestamp": "2026-01-02T03:04:06.500Z",
    },
    # https://www.elastic.co/docs/reference/beats/filebeat/exported-fields
    "filebeat.yml": {
        "@timestamp": "2026-01-02T03:04:06.500Z",
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "9.1.0"},
        "log": {"offset": 1204, "file": {"path": "/var/log/squid/access.log", "inode": "77"}},
        "message": "LINE",
        "input": {"type": "filestream"},
        "ecs": {"version": "8.0.0"},
        "host": {"name": "collector.corp.example"},
        "agent": {"type": "filebeat", "name": "collector.corp.example", "version": "9.1.0"},
    },
}


def test_the_readme_names_every_file() -> None:
    text = (CONFIGURATIONS / "README.md").read_text()
    files = {file.name for file in CONFIGURATIONS.iterdir()} - {"README.md"}
    assert {name for name in files if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("file", [*CONFIGURATIONS.glob("*.y*ml")], ids=lambda file: file.name)
def test_files_in_yaml_are_well_formed(file: Path) -> None:
    assert isinstance(yaml.safe_load(file.read_text()), dict)


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_line_in_an_envelope_is_read(name: str) -> None:
    assert (CONFIGURATIONS / name).exists()

    def shipped(line: str) -> bytes:
        fields = {key: line if value == "LINE" else value for key, value in ENVELOPES[name].items()}
        return json.dumps(fields).encode()

    url, host = read_by([shipped(LINE), shipped(QUERY)])

    assert (url.requested, url.time) == (URL, INSIDE)
    assert (host.requested, host.time) == (NAME, SHIPPED)


CONNECTION = {"id.orig_h": "10.8.0.4", "id.orig_p": 40000, "id.resp_h": "192.0.2.9"}
ZEEK = [
    {"http": {"method": "GET", "host": "pay.shop.example", "uri": "/in?id=4", "id.resp_p": 80}},
    {"dns": {"proto": "udp", "trans_id": 7, "query": "cdn.shop.example", "id.resp_p": 53}},
    {"ssl": {"version": "TLSv13", "server_name": "cdn.shop.example", "id.resp_p": 443}},
    {"quic": {"version": "1", "server_name": "cdn.shop.example", "id.resp_p": 443}},
]
SURICATA = [
    {
        "event_type": "http",
        "dest_port": 80,
        "http": {"hostname": "pay.shop.example", "url": "/in?id=4", "http_method": "GET"},
    },
    {"event_type": "dns", "dns": {"type": "query", "id": 7, "rrname": "cdn.shop.example"}},
    {"event_type": "tls", "tls": {"sni": "cdn.shop.example", "version": "TLS 1.3"}},
    {"event_type": "quic", "quic": {"version": "1", "sni": "cdn.shop.example"}},
]


def test_zeeks_tagged_records_are_read() -> None:
    # https://github.com/SeisoLLC/zeek-kafka, Kafka::tag_json
    common = {"ts": 1767323045.25, "uid": "CXa1", **CONNECTION}
    records = [{log: {**common, **fields} for log, fields in record.items()} for record in ZEEK]

    seen = read_by([json.dumps(record).encode() for record in records])

    assert [each.requested for each in seen] == [URL, NAME, NAME, NAME]
    assert {each.time for each in seen} == {INSIDE}


def test_suricatas_transactions_are_read() -> None:
    # https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
    common = {
        "timestamp": "2026-01-02T03:04:05.250000+0000",
        "flow_id": 99,
        "src_ip": "10.8.0.4",
        "dest_ip": "192.0.2.9",
    }

    seen = read_by([json.dumps({**common, **record}).encode() for record in SURICATA])

    assert [each.requested for each in seen] == [URL, NAME, NAME, NAME]
    assert {each.time for each in seen} == {INSIDE}
