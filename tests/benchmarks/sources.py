"""Microseconds to read a record of each log format, detection included: ``make bench-sources``.

Each record is an ordinary one of its format (of the text formats, all samples of their tests), read
as a topic of that format alone is read: the reader remembers the format of the last line.
"""

import argparse
import importlib.util
import json
import sys
import timeit
from pathlib import Path

from stream_detector.sources.reading import RecordReader

FORMATS = Path(__file__).parents[1] / "stream_detector" / "sources" / "formats"
SQUID = (
    "1700000000.123     57 10.4.3.2 TCP_MISS/200 779 GET http://shop.example/cart?id=7 - "
    "HIER_DIRECT/192.0.2.7 text/html"
)
EVE = json.dumps(
    {
        "timestamp": "2026-02-03T04:05:06.000000+0000",
        "flow_id": 9,
        "in_iface": "eth0",
        "event_type": "dns",
        "src_ip": "10.4.3.2",
        "src_port": 5000,
        "dest_ip": "192.0.2.7",
        "dest_port": 53,
        "proto": "UDP",
        "dns": {"type": "query", "id": 7, "rrname": "cdn.shop.example", "rrtype": "A"},
    }
)
ZEEK = {
    "ts": 1700000000.25,
    "uid": "CXa1",
    "id.orig_h": "10.4.3.2",
    "id.orig_p": 5000,
    "id.resp_h": "192.0.2.53",
    "id.resp_p": 80,
}
COMMON = "1795165220.6\tC1\t10.0.0.1\t1\t10.0.0.2\t"

RECORDS = {
    "json, url": '{"time":"2026-11-20T09:00:20.636Z","client":"10.2.3.4","method":"GET","url":'
    '"https://shop.example/cart/items?id=77&ref=abc","status":200,"bytes":5120}',
    "json, host": '{"time":"2026-11-20T09:00:20Z","client":"10.2.3.4","host":"cdn.shop.example"}',
    "json, a product (ECS)": json.dumps(
        {
            "@timestamp": "2026-02-03T04:05:06Z",
            "host": {"name": "sensor"},
            "dns": {"type": "query", "question": {"name": "cdn.shop.example", "type": "A"}},
            "source": {"ip": "10.1.1.1"},
        }
    ),
    "suricata": EVE,
    "zeek_http": json.dumps(ZEEK | {"method": "GET", "host": "shop.example", "uri": "/a?c=d"}),
    "zeek_dns, TSV": COMMON + "53\tudp\t7\t0.1\tcdn.shop.example\t1\tC_INTERNET\t1\tA",
    "zeek_ssl, TSV": COMMON + "443\tTLSv13\tTLS_AES_128_GCM_SHA256\tx25519\tshop.example\tF\t-",
    "squid": SQUID,
    "dnsmasq": "Jan  2 03:04:05 gw dnsmasq[1]: query[A] cdn.shop.example from 10.0.0.1",
    "plain": "https://shop.example/cart?id=7",
    "Filebeat around squid": json.dumps(
        {
            "@timestamp": "2026-01-02T03:04:05Z",
            "message": SQUID,
            "host": {"name": "c"},
            "agent": {"type": "filebeat"},
            "log": {"file": {"path": "/var/log/x"}, "offset": 7},
        }
    ),
    "Filebeat around suricata": json.dumps({"message": EVE, "host": {"name": "c"}}),
    "syslog around squid": "<134>Jan  2 03:04:05 proxy (squid-1)[812]: " + SQUID,
    "RFC 5424 around squid": "<134>1 2026-01-02T03:04:05.123Z proxy squid 812 - - " + SQUID,
}


def samples():
    """The sample lines of the text formats' tests that name a URL or host, by format."""
    found = {}
    for path in sorted(FORMATS.glob("test_*.py")):
        if path.name == "test_formats.py":
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for line, expected in module.SAMPLES:
            value = line if isinstance(line, bytes) else line.encode()
            ((name, _),) = RecordReader(None).read(value)[:1]
            if isinstance(expected, tuple):
                found.setdefault(name, []).append(value)
    return found


def microseconds(values, seconds):
    """Of one record, the best of five rounds that take ``seconds`` together."""
    read = RecordReader(None).read

    def once():
        for value in values:
            read(value)

    once()
    number = max(1, int(seconds / 5 / timeit.timeit(once, number=1)))
    return min(timeit.repeat(once, number=number, repeat=5)) / number / len(values) * 1e6


def main():
    """Print the table; exit with 1 if a format takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each format")
    parser.add_argument("--json", action="store_true", help="one object for all formats")
    arguments = parser.parse_args()
    records = {name: [value.encode()] for name, value in RECORDS.items()} | samples()
    times = {name: microseconds(values, arguments.seconds) for name, values in records.items()}
    if arguments.json:
        print(json.dumps(times))
        return
    width = max(map(len, times))
    for name, time in times.items():
        print(f"{name:<{width}}  {time:6.2f} us")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
