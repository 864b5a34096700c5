"""A log line is read the same however it is shipped, and its sender is never a target."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import SOURCES

COLLECTOR = "collector-7.corp.example"

LINES: dict[str, tuple[str, str, str]] = {
    "squid": (
        "1700000000.123     57 10.4.3.2 TCP_MISS/200 779 GET http://shop.example/cart?id=7 - "
        "HIER_DIRECT/192.0.2.7 text/html",
        "http://shop.example/cart?id=7",
        "10.4.3.2",
    ),
    "dnsmasq": ("query[AAAA] cdn.shop.example from 10.4.3.2", "cdn.shop.example", "10.4.3.2"),
    "suricata": (
        json.dumps(
            {
                "timestamp": "2026-02-03T04:05:06.000000+0000",
                "flow_id": 9,
                "event_type": "tls",
                "src_ip": "10.4.3.2",
                "dest_ip": "192.0.2.7",
                "tls": {"sni": "cdn.shop.example"},
            }
        ),
        "cdn.shop.example",
        "10.4.3.2",
    ),
    "zeek_dns": (
        json.dumps(
            {
                "ts": 1700000000.25,
                "uid": "CXa1",
                "id.orig_h": "10.4.3.2",
                "id.resp_h": "192.0.2.53",
                "proto": "udp",
                "trans_id": 4,
                "query": "cdn.shop.example",
            }
        ),
        "cdn.shop.example",
        "10.4.3.2",
    ),
    "json": (
        '{"url":"https://shop.example/a","src_ip":"10.4.3.2"}',
        "https://shop.example/a",
        "10.4.3.2",
    ),
}


def _as_object(line: str) -> Any:
    return json.loads(line) if line.startswith("{") else line


def _otlp(line: str) -> Any:
    body = {"timeUnixNano": "1700000000000000000", "body": {"stringValue": line}}
    host = {"key": "host.name", "value": {"stringValue": COLLECTOR}}
    return {
        "resourceLogs": [
            {"resource": {"attributes": [host]}, "scopeLogs": [{"logRecords": [body]}]}
        ]
    }


ENVELOPES: dict[str, Callable[[str], Any]] = {
    "filebeat": lambda line: {
        "@timestamp": "2026-01-02T03:04:05Z",
        "message": line,
        "host": {"name": COLLECTOR},
        "agent": {"type": "filebeat"},
        "log": {"file": {"path": "/var/log/x.log"}, "offset": 7},
        "fields": {"site": "north"},
    },
    "logstash": lambda line: {
        "@timestamp": "2026-01-02T03:04:05Z",
        "@version": "1",
        "host": COLLECTOR,
        "path": "/var/log/x.log",
        "message": line,
    },
    "logstash_8": lambda line: {"host": {"name": COLLECTOR}, "event": {"original": line}},
    "event.original": lambda line: {"host.name": COLLECTOR, "event.original": line},
    "vector": lambda line: {
        "host": COLLECTOR,
        "file": "/var/log/x.log",
        "source_type": "file",
        "message": line,
    },
    "fluent_bit": lambda line: {"date": 1700000000.5, "log": line},
    "docker": lambda line: {"log": line + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05Z"},
    "fluentd": lambda line: {"message": line, "hostname": COLLECTOR, "tag": "proxy"},
    "gelf": lambda line: {
        "version": "1.1",
        "host": COLLECTOR,
        "short_message": line,
        "timestamp": 1700000000.5,
        "level": 6,
    },
    "journald": lambda line: {"MESSAGE": line, "_HOSTNAME": COLLECTOR, "PRIORITY": "6"},
    "journald_bytes": lambda line: {"MESSAGE": list(line.encode()), "_HOSTNAME": COLLECTOR},
    "rsyslog": lambda line: {"msg": " " + line, "host": COLLECTOR, "programname": "x"},
    "syslog-ng": lambda line: {"HOST": COLLECTOR, "MESSAGE": line, "PROGRAM": "x"},
    "splunk_hec": lambda line: {
        "time": 1700000000.5,
        "host": COLLECTOR,
        "source": "/var/log/x.log",
        "sourcetype": "x",
        "event": _as_object(line),
    },
    "splunk_export": lambda line: {"preview": False, "result": {"_raw": line, "host": COLLECTOR}},
    "cloudevents": lambda line: {
        "specversion": "1.0",
        "id": "1",
        "source": "/proxy",
        "type": "log",
        "data": _as_object(line),
    },
    "cloudevents_base64": lambda line: {
        "specversion": "1.0",
        "data_base64": base64.b64encode(line.encode()).decode(),
    },
    "kafka_connect": lambda line: {
        "schema": {"type": "string"},
        "payload": _as_object(line),
    },
    "cloudwatch": lambda line: {
        "messageType": "DATA_MESSAGE",
        "logGroup": "proxy",
        "logEvents": [{"id": "1", "timestamp": 1700000000500, "message": line}],
    },
    "event_hubs": lambda line: {"records": [{"time": "2026-01-02T03:04:05Z", "message": line}]},
    "elasticsearch": lambda line: {"_index": "x", "_id": "1", "_source": {"message": line}},
    "otlp": _otlp,
    "otel_raw": lambda line: line,
}

HEADERS = {
    "rfc3164": f"<134>Jan  2 03:04:05 {COLLECTOR} prog[812]: ",
    "rfc3164_no_pid": f"<134>Jan 12 03:04:05 {COLLECTOR} (prog-1): ",
    "rfc3164_no_host": "<13>Jan  2 03:04:05 prog[1]: ",
    "rfc3164_no_tag": f"<13>Jan  2 03:04:05 {COLLECTOR} ",
    "no_priority": f"Jan  2 03:04:05 {COLLECTOR} prog[812]: ",
    "iso": f"2026-01-02T03:04:05.123456+01:00 {COLLECTOR} prog[812]: ",
    "priority_alone": "<134>",
    "rfc5424": f"<134>1 2026-01-02T03:04:05.123Z {COLLECTOR} prog 812 - - ",
    "rfc5424_data": f'<134>1 2026-01-02T03:04:05Z {COLLECTOR} prog 812 ID [a@1 b="c]"][d@1] ',
    "octet_count": f"712 <134>1 2026-01-02T03:04:05Z {COLLECTOR} prog - - - ",
    "cisco": f"<189>29: {COLLECTOR}: *Jan  2 03:04:05.483 UTC: ",
    "year": f"<134>Jan  2 2026 03:04:05 {COLLECTOR} : ",
    "cri": "2026-01-02T03:04:05.123456789Z stdout F ",
    "compose": "proxy-1  | ",
    "bom": "\ufeff",
}


def read(value: str | bytes, source: str | None = None) -> list[Any]:
    value = value.encode() if isinstance(value, str) else value
    results = read_record(value, source=source and SOURCES[source], lines_max=100)
    return [result for _, result in results]


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_line_in_an_envelope_is_read(envelope: str, name: str) -> None:
    line, observed, client = LINES[name]
    for source in (None, name):
        (event,) = read(json.dumps(ENVELOPES[envelope](line)), source)
        assert (event.observed, event.client) == (observed, client)
        assert event.unwrapped


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("header", HEADERS)
def test_the_line_behind_a_header_is_read(header: str, name: str) -> None:
    line, observed, client = LINES[name]
    for source in (None, name):
        (event,) = read(HEADERS[header] + line, source)
        assert (event.observed, event.client) == (observed, client)


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_in_an_envelope_is_opened_too(envelope: str, header: str) -> None:
    line, observed, client = LINES["squid"]
    (event,) = read(json.dumps(ENVELOPES[envelope](HEADERS[header] + line)))
    assert (event.observed, event.client) == (observed, client)


@pytest.mark.parametrize("outer", ["filebeat", "vector", "splunk_hec", "kafka_connect", "docker"])
@pytest.mark.parametrize("inner", ["filebeat", "fluent_bit", "gelf", "syslog-ng", "cloudevents"])
def test_an_envelope_in_an_envelope_is_opened(outer: str, inner: str) -> None:
    line, observed, _ = LINES["squid"]
    (event,) = read(json.dumps(ENVELOPES[outer](json.dumps(ENVELOPES[inner](line)))))
    assert event.observed == observed
    assert len(event.unwrapped) == 2


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_the_sender_is_never_a_target(envelope: str) -> None:
    results = read(json.dumps(ENVELOPES[envelope]("a line that no format knows")))
    assert all(isinstance(result, Rejected) for result in results), results
    assert any(result.reason is RejectReason.UNKNOWN_FORMAT for result in results)


def test_the_reason_of_a_dead_letter_says_where_the_line_was() -> None:
    (fault,) = read('{"host":"h","message":"a line that no format knows"}')
    assert fault.detail == "in 'message': no log format recognises the line"


def test_a_line_of_no_interest_in_an_envelope_is_passed_over() -> None:
    (result,) = read('{"message":"Jan  2 03:04:05 gw dnsmasq[1]: reply a.example is 192.0.2.1"}')
    assert isinstance(result, Ignored)


def test_many_lines_in_one_field_are_read_one_by_one() -> None:
    lines = "\n".join([LINES["squid"][0], "no line", LINES["dnsmasq"][0]])
    first, second, third = read(json.dumps({"message": lines}))
    assert (first.observed, third.observed) == (LINES["squid"][1], LINES["dnsmasq"][1])
    assert isinstance(second, Rejected)


def test_the_inner_time_is_preferred_to_the_envelopes() -> None:
    (event,) = read(json.dumps(ENVELOPES["filebeat"](LINES["squid"][0])))
    assert event.time == datetime.fromtimestamp(1700000000.123, UTC)
    (event,) = read(json.dumps(ENVELOPES["filebeat"](LINES["dnsmasq"][0])))
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (event,) = read(HEADERS["rfc5424_data"] + LINES["json"][0])
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (event,) = read(HEADERS["rfc3164"] + LINES["json"][0])
    assert event.time is None  # Neither year nor zone.


@pytest.mark.parametrize("unknown", [{}, {"timeUnixNano": "0"}])
def test_without_a_time_of_otlp_that_of_reading_counts(unknown: dict[str, str]) -> None:
    record = {
        **unknown,
        "observedTimeUnixNano": "1700000000000000000",
        "body": {"stringValue": "query[A] cdn.shop.example from 10.4.3.2"},
    }
    (event,) = read(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
    assert event.time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_fields_that_the_shipper_parsed_are_preferred_to_the_line() -> None:
    value = {"url": "https://a.example/x", "message": LINES["squid"][0], "client": "10.0.0.1"}
    (event,) = read(json.dumps(value))
    assert event == UrlEvent("url", "https://a.example/x", "10.0.0.1")


def test_a_fourth_envelope_stays_closed() -> None:
    value = LINES["squid"][0]
    for _ in range(4):
        value = json.dumps({"message": value})
    (fault,) = read(value)
    assert isinstance(fault, Rejected)


def test_a_forged_answer_of_dnsmasq_is_no_query() -> None:
    line = "reply a.example is dnsmasq: query[A] forged.example from 10.0.0.1"
    for header in (
        HEADERS["rfc5424"].replace("prog", "dnsmasq"),
        "Jan  2 03:04:05 gw dnsmasq[1]: ",
    ):
        (result,) = read(header.replace("prog", "dnsmasq") + line)
        assert isinstance(result, Ignored)


@pytest.mark.parametrize("data", [b"{}", b'{"url":"http://a.example/x"}'])
def test_json_behind_a_schema_id_is_read(data: bytes) -> None:
    assert read(b"\0\0\0\0\7" + data) == read(data)


def test_binary_behind_a_schema_id_needs_the_schema() -> None:
    (fault,) = read(b"\0\0\0\0\7\x02\x0ahello")
    assert fault.reason is RejectReason.SCHEMA_NEEDED


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (
            "<14>1 2026-01-02T03:04:05.123Z fw RT_UTM - WEBFILTER_URL_PERMITTED "
            '[junos@2636.1.1.1.2.129 source-address="10.4.3.2" url="shop.example" obj="/b"]',
            "juniper_srx",
        ),
        (
            "<134>1 2026-01-02T03:04:05Z gw CheckPoint 1930 - "
            '[action:"Accept"; resource:"http://shop.example/b"; src:"10.4.3.2"]',
            "check_point",
        ),
        (
            "<134>Jan  2 03:04:05 fw CEF:0|P|x|1|t|n|1|request=http://shop.example/b src=10.4.3.2",
            "cef",
        ),
        (
            "<166>Jan 02 2026 03:04:05 fw : %ASA-5-304001: 10.4.3.2 Accessed URL "
            "192.0.2.1:http://shop.example/b",
            "cisco_firewall",
        ),
        (
            '<189>date=2026-01-02 time=03:04:05 devname="fw" devid="F" logid="0317013312" '
            'type="utm" subtype="webfilter" srcip=10.4.3.2 hostname="shop.example" url="/b" '
            'service="HTTP"',
            "fortigate",
        ),
        ("Jan  2 03:04:05 ns unbound[12:0]: info: 10.4.3.2 shop.example. A IN", "unbound"),
        ("<134>Jan  2 03:04:05 ns unbound: [12:0] info: 10.4.3.2 shop.example. A IN", "unbound"),
        (
            "Jan  2 03:04:05 ns named[1]: client @0x7f 10.4.3.2#5353 (shop.example): query: "
            "shop.example IN A + (192.0.2.53)",
            "bind",
        ),
    ],
)
def test_products_that_write_syslog_are_read(line: str, name: str) -> None:
    for value in (line, json.dumps({"message": line, "host": COLLECTOR})):
        ((log, event),) = read_record(value.encode(), source=None)
        assert log == name
        assert isinstance(event, UrlEvent)
        assert event.observed.rstrip(".") in {"http://shop.example/b", "shop.example"}
        assert event.client == "10.4.3.2"


ORDINARY = (
    '10.4.3.2 - - [02/Jan/2026:03:04:05 +0000] "GET /x HTTP/1.1" 200 12 "-" "curl"',
    '10.4.3.2, 203.0.113.9 - - [02/Jan/2026:03:04:05 +0000] "GET /x HTTP/1.1" 200 12',
    'INFO: 10.4.3.2 - - [02/Jan/2026:03:04:05 +0000] "GET /x HTTP/1.1" 200 12',
    "www.shop.example:443 - GET",
    "README.md",
    "job.run",
    "utils.py",
    "level=info server_name=app01.corp.example msg=started",
    "job=backup host=db01.corp.example path=/var/backups/x.sql.gz",
    "Accepted password for kim from 10.4.3.2 port 5000 ssh2",
)


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_without_a_url_name_no_target(line: str) -> None:
    values = [HEADERS[header] + line for header in HEADERS if header != "bom"]
    objects = [ENVELOPES[envelope](line) for envelope in ENVELOPES]
    values += [json.dumps(value) for value in objects if value != line]  # A list may be strings.
    for value in values:
        assert not any(isinstance(result, UrlEvent) for result in read(value)), value


def test_the_reason_of_a_known_format_survives_a_header() -> None:
    (fault,) = read(HEADERS["rfc3164"] + ORDINARY[0])
    assert fault.reason is RejectReason.NO_URL


def test_a_header_of_a_relay_is_opened_too() -> None:
    for outer in ("rfc3164", "rfc3164_no_tag", "rfc5424"):
        for inner in ("rfc3164", "rfc5424"):
            (event,) = read(HEADERS[outer] + HEADERS[inner] + LINES["squid"][0])
            assert event.observed == LINES["squid"][1]


@pytest.mark.parametrize(
    "value",
    [
        {"qname": "shop.example", "src_ip": "10.4.3.2"},
        {"sni": "shop.example", "src_ip": "10.4.3.2"},
        {"http_host": "shop.example", "uri": "/", "method": "GET", "client_ip": "10.4.3.2"},
        {"content": LINES["dnsmasq"][0].replace("cdn.", "")},
    ],
)
def test_a_target_under_another_name_wins_over_the_senders_host(value: dict[str, Any]) -> None:
    (event,) = read(json.dumps({"host": COLLECTOR, "@timestamp": "2026-01-02T03:04:05Z", **value}))
    assert event.observed.removeprefix("http://").rstrip("/") == "shop.example"
    assert event.client == "10.4.3.2"
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
