"""JSON of products that have the target in fields of their own."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_detector.events import Ignored, UrlEvent
from stream_detector.sources.json_product_table import PRODUCTS
from stream_detector.sources.reading import read_record

NAME = "cdn.shop.example"
CLIENT = "10.4.3.2"

# name of the format, object, kind, what is observed, client
CASES: list[tuple[str, dict[str, Any], str, str, str | None]] = [
    (
        "ecs",
        {
            "@timestamp": "2026-02-03T04:05:06Z",
            "host": {"name": "sensor"},
            "dns": {"type": "query", "question": {"name": NAME, "type": "A"}},
            "source": {"ip": CLIENT},
        },
        "host",
        NAME,
        CLIENT,
    ),
    (
        "ecs",
        {"host": "sensor", "dns.question.name": NAME, "source.ip": CLIENT},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "ecs",
        {"tls": {"client": {"server_name": NAME}}, "client": {"ip": CLIENT}},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "ecs",
        {"destination": {"domain": NAME, "ip": "192.0.2.1"}, "source": {"ip": CLIENT}},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "ocsf",
        {
            "class_uid": 4003,
            "time": 1770091506000,
            "query": {"hostname": NAME, "type": "A"},
            "src_endpoint": {"ip": CLIENT},
        },
        "host",
        NAME,
        CLIENT,
    ),
    (
        "ocsf",
        {
            "class_uid": 4002,
            "http_request": {
                "http_method": "GET",
                "url": {"hostname": "shop.example", "path": "/a", "query_string": "id=7"},
            },
            "src_endpoint": {"ip": CLIENT},
        },
        "url",
        "http://shop.example/a?id=7",
        CLIENT,
    ),
    (
        "ocsf",
        {
            "class_uid": 4002,
            "http_request": {"url": {"url_string": "https://shop.example/a"}},
            "src_endpoint": {"ip": CLIENT},
        },
        "url",
        "https://shop.example/a",
        CLIENT,
    ),
    (
        "route53",
        {
            "version": "1.100000",
            "query_timestamp": "2026-02-03T04:05:06Z",
            "query_name": NAME + ".",
            "query_type": "A",
            "srcaddr": CLIENT,
            "srcport": "56067",
        },
        "host",
        NAME + ".",
        CLIENT,
    ),
    (
        "google_dns",
        {
            "insertId": "x1",
            "jsonPayload": {"queryName": NAME + ".", "sourceIP": CLIENT, "queryType": "A"},
            "timestamp": "2026-02-03T04:05:06.1Z",
        },
        "host",
        NAME + ".",
        CLIENT,
    ),
    (
        "google_http",
        {"httpRequest": {"requestUrl": "https://shop.example/a", "remoteIp": CLIENT}},
        "url",
        "https://shop.example/a",
        CLIENT,
    ),
    (
        "azure",
        {
            "time": "2026-02-03T04:05:06Z",
            "category": "AZFWDnsQuery",
            "properties": {"SourceIp": CLIENT, "SourcePort": 5000, "QueryName": NAME},
        },
        "host",
        NAME,
        CLIENT,
    ),
    (
        "azure",
        {"properties": {"SourceIp": CLIENT, "Fqdn": NAME, "Protocol": "HTTPS"}},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "cloudflare",
        {"QueryName": NAME, "SrcIP": CLIENT, "Datetime": "2026-02-03T04:05:06Z"},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "cloudflare",
        {
            "ClientIP": CLIENT,
            "ClientRequestHost": "shop.example",
            "ClientRequestURI": "/a?id=7",
            "ClientRequestScheme": "https",
        },
        "url",
        "https://shop.example/a?id=7",
        CLIENT,
    ),
    (
        "aws_waf",
        {
            "timestamp": 1770091506000,
            "httpRequest": {
                "clientIp": CLIENT,
                "uri": "/a",
                "args": "id=7",
                "host": "shop.example",
                "httpMethod": "GET",
            },
        },
        "url",
        "http://shop.example/a?id=7",
        CLIENT,
    ),
    (
        "adguard_home",
        {"T": "2026-02-03T04:05:06Z", "QH": NAME, "QT": "A", "IP": CLIENT},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "dnstap",
        {
            "dns": {"qname": NAME, "qtype": "A"},
            "dnstap": {"operation": "CLIENT_QUERY", "timestamp-rfc3339ns": "2026-02-03T04:05:06Z"},
            "network": {"query-ip": CLIENT},
        },
        "host",
        NAME,
        CLIENT,
    ),
    (
        "dnstap",
        {
            "messageType": "ClientQuery",
            "requestData": {"question": [{"domainName": NAME + ".", "questionType": "A"}]},
            "sourceAddress": CLIENT,
        },
        "host",
        NAME + ".",
        CLIENT,
    ),
    (
        "sysmon",
        {
            "winlog": {
                "event_id": 22,
                "computer_name": "pc7.corp.example",
                "event_data": {"QueryName": NAME, "Image": "C:\\x.exe"},
            }
        },
        "host",
        NAME,
        "pc7.corp.example",
    ),
    (
        "sysmon",
        {"EventID": 22, "Hostname": "pc7.corp.example", "QueryName": NAME},
        "host",
        NAME,
        "pc7.corp.example",
    ),
    (
        "crowdstrike",
        {"event_simpleName": "DnsRequest", "DomainName": NAME, "ComputerName": "pc7"},
        "host",
        NAME,
        "pc7",
    ),
    (
        "defender",
        {
            "category": "x",
            "properties": {"RemoteUrl": "https://shop.example/a", "DeviceName": "pc7"},
        },
        "url",
        "https://shop.example/a",
        "pc7",
    ),
    (
        "traefik",
        {
            "ClientHost": CLIENT,
            "RequestHost": "shop.example",
            "RequestPath": "/a",
            "RequestMethod": "GET",
            "StartUTC": "2026-02-03T04:05:06Z",
        },
        "url",
        "http://shop.example/a",
        CLIENT,
    ),
    (
        "caddy",
        {
            "ts": 1770091506.5,
            "logger": "http.log.access",
            "request": {"remote_ip": CLIENT, "host": "shop.example", "uri": "/a", "method": "GET"},
        },
        "url",
        "http://shop.example/a",
        CLIENT,
    ),
    (
        "envoy",
        {
            "authority": "shop.example",
            "path": "/a",
            "method": "GET",
            "downstream_remote_address": f"{CLIENT}:51234",
            "start_time": "2026-02-03T04:05:06.123Z",
        },
        "url",
        "http://shop.example/a",
        CLIENT,
    ),
    (
        "json",
        {"query": NAME, "query_type": "A", "src": CLIENT, "host": "collector.example"},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "fortigate",
        {
            "logid": "0317013312",
            "hostname": "shop.example",
            "url": "/a",
            "srcip": CLIENT,
            "host": "fw1",
        },
        "url",
        "http://shop.example/a",
        CLIENT,
    ),
    # Of no product in the table: by the names of the fields.
    (
        "json",
        {"qname": NAME, "src_ip": CLIENT, "@timestamp": "2026-02-03T04:05:06Z"},
        "host",
        NAME,
        CLIENT,
    ),
    (
        "json",
        {"hostname": "shop.example", "request_uri": "/a", "srcip": CLIENT, "level": "info"},
        "url",
        "http://shop.example/a",
        CLIENT,
    ),
]


@pytest.mark.parametrize(("name", "value", "kind", "observed", "client"), CASES)
def test_a_products_object_is_read(
    name: str, value: dict[str, Any], kind: str, observed: str, client: str | None
) -> None:
    for wrapped in (value, {"message": json.dumps(value), "host": "collector.example"}):
        ((log, event),) = read_record(json.dumps(wrapped).encode(), source=None)
        assert log == name
        assert isinstance(event, UrlEvent), event
        assert (event.kind, event.observed, event.client) == (kind, observed, client)


def test_each_product_has_an_example() -> None:
    tested = {name for name, *_ in CASES}
    assert {product.name for product in PRODUCTS} - tested == {
        "carbon_black",
        "kong",
        "sentinelone",
        "zscaler_dns",
    }


def test_the_time_of_a_products_object_is_read() -> None:
    expected = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    for place in (0, 4, 7, 10):
        ((_, event),) = read_record(json.dumps(CASES[place][1]).encode(), source=None)
        assert isinstance(event, UrlEvent)
        assert event.time == expected


def test_an_answer_of_dnstap_is_passed_over() -> None:
    value = {"dns": {"qname": NAME}, "dnstap": {"operation": "CLIENT_RESPONSE"}}
    ((_, result),) = read_record(json.dumps(value).encode(), source=None)
    assert isinstance(result, Ignored)
