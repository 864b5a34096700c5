"""Real programs write logs, and real shippers with the files of ``deploy/shippers`` send them."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.bench import Bench
from support.broker import KafkaBroker
from support.records import read_all
from support.shippers import (
    CONFIGURATIONS,
    Requested,
    Seen,
    Shippers,
    answering_server,
    ask_dns,
    fetch,
    shippers_folder,
    tunnel,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

COUNT = 20


@pytest.fixture
def folder() -> Iterator[Path]:
    with shippers_folder() as folder:
        yield folder


@pytest.fixture
def topic(topics) -> str:
    return topics("shipped")


@pytest.fixture
def shippers(folder, kafka: KafkaBroker, topic) -> Iterator[Shippers]:
    shippers = Shippers(folder, kafka.bootstrap_servers, topic)
    yield shippers
    shippers.close()


def client(number: int) -> str:
    """Each request comes from another loopback address."""
    return f"127.0.0.{number + 2}"


def names(kind: str) -> list[str]:
    return [f"{kind}-{number}.shop{number}.example" for number in range(COUNT)]


def ask_all(kind: str, port: int) -> list[Requested]:
    """Ask a DNS server for each name; returns what its log has to say."""
    for number, name in enumerate(names(kind)):
        ask_dns(name, port=port, client=client(number))
    dot = "." if kind == "unbound" else ""  # As unbound writes names.
    return [Requested("host", name + dot, client(n)) for n, name in enumerate(names(kind))]


def browse(proxy: int, server: int) -> list[Requested]:
    """Request URLs and open tunnels through Squid; returns what its log has to say."""
    requested = []
    for number, name in enumerate(names("squid")):
        if number % 4 == 3:
            tunnel(f"{name}:{server}", proxy=proxy, client=client(number))
            requested.append(Requested("host", f"{name}:{server}", client(number)))
        else:
            url = f"http://{name}:{server}/sign-in?account={number}&next=%2Fhome"
            assert fetch(url, proxy=proxy, client=client(number)) == 200
            requested.append(Requested("url", url, client(number)))
    return requested


def check(seen: list[Seen], requested: list[Requested], since: datetime) -> None:
    """The same requests, each once, with times of this test; clocks of logs count whole seconds."""
    assert sorted(each.requested for each in seen) == sorted(requested)
    until = datetime.now(UTC)
    for each in seen:
        assert each.time is not None, each
        assert since - timedelta(seconds=1) <= each.time <= until, each


def test_rsyslog_ships_lines_that_programs_append(shippers, folder) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    rsyslog = shippers.start_rsyslog()
    squid = [
        f"{start.timestamp() + n / 1000:.3f}    51 {client(n)} TCP_MISS/200 812 GET "
        f"http://{name}/sign%20in?q={n} - HIER_DIRECT/192.0.2.9 text/html\n"
        for n, name in enumerate(names("squid"))
    ]
    dnsmasq = [
        f"Nov  7 10:00:00 dnsmasq[812]: {n} {client(n)}/40000 query[A] {name} from {client(n)}\n"
        for n, name in enumerate(names("dns"))
    ]
    (folder / "access.log").write_text("".join(squid[:5]))
    (folder / "dnsmasq.log").write_text("".join(dnsmasq[:5]))
    shippers.seen(10)
    with (folder / "access.log").open("a") as log:
        log.writelines(squid[5:])
    with (folder / "dnsmasq.log").open("a") as log:
        log.writelines(dnsmasq[5:])

    seen = shippers.seen(2 * COUNT)

    urls = [
        Requested("url", f"http://{name}/sign%20in?q={n}", client(n))
        for n, name in enumerate(names("squid"))
    ]
    hosts = [Requested("host", name, client(n)) for n, name in enumerate(names("dns"))]
    check(seen, [*urls, *hosts], start)
    assert rsyslog.exit_code is None


def test_rsyslog_ships_the_queries_of_dnsmasq_and_unbound(shippers) -> None:
    start = datetime.now(UTC)
    shippers.start_rsyslog()
    asked = [*ask_all("dnsmasq", shippers.start_dnsmasq())]
    asked += ask_all("unbound", shippers.start_unbound())

    seen = shippers.seen(len(asked))

    check(seen, asked, start)
    assert {each.format for each in seen} == {"dnsmasq", "unbound"}


def test_syslog_ng_ships_the_queries_of_dnsmasq_and_unbound(shippers) -> None:
    start = datetime.now(UTC)
    dnsmasq, unbound = shippers.start_dnsmasq(), shippers.start_unbound()
    shippers.start_syslog_ng()
    asked = [*ask_all("dnsmasq", dnsmasq), *ask_all("unbound", unbound)]

    seen = shippers.seen(len(asked))

    check(seen, asked, start)
    assert {each.format for each in seen} == {"dnsmasq", "unbound"}


@pytest.mark.collector
def test_the_otel_collector_ships_the_queries_of_dnsmasq_and_unbound(shippers) -> None:
    start = datetime.now(UTC)
    dnsmasq, unbound = shippers.start_dnsmasq(), shippers.start_unbound()
    shippers.start_otel_collector()
    asked = [*ask_all("dnsmasq", dnsmasq), *ask_all("unbound", unbound)]

    seen = shippers.seen(len(asked))

    check(seen, asked, start)
    assert {each.format for each in seen} == {"dnsmasq", "unbound"}


def test_rsyslog_ships_the_urls_of_nginx(shippers) -> None:
    start = datetime.now(UTC)
    shippers.start_rsyslog()
    nginx = shippers.start_nginx()
    urls = [f'http://{name}/search?q="{n}"&next=%2Fhome' for n, name in enumerate(names("web"))]
    for number, url in enumerate(urls):
        assert fetch(url, proxy=nginx, client=client(number)) == 204

    seen = shippers.seen(COUNT)

    check(seen, [Requested("url", url, client(n)) for n, url in enumerate(urls)], start)


def test_kcat_sends_the_lines_of_a_file(shippers, folder, kafka, topic) -> None:
    start = datetime.now(UTC)
    asked = ask_all("unbound", shippers.start_unbound())

    with (folder / "unbound.log").open("rb") as log:
        subprocess.run(
            [CONFIGURATIONS / "kcat.sh"],
            stdin=log,
            env={**os.environ, "BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC": topic},
            check=True,
            timeout=30,
        )

    check(shippers.seen(COUNT), asked, start)


@pytest.fixture
def web_server() -> Iterator[int]:
    server: AbstractContextManager[int] = answering_server()
    with server as port:
        yield port


def test_rsyslog_ships_the_requests_through_squid(shippers, web_server) -> None:
    start = datetime.now(UTC)
    shippers.start_rsyslog()

    requested = browse(shippers.start_squid(names("squid")), web_server)

    check(shippers.seen(COUNT), requested, start)


@pytest.mark.slow
def test_a_worker_writes_a_verdict_for_each_request(folder, kafka, topics, web_server) -> None:
    bench = Bench(kafka.bootstrap_servers, topics, folder)
    shippers = Shippers(folder, kafka.bootstrap_servers, bench.input)
    try:
        worker = bench.start_worker()
        shippers.start_rsyslog()
        requested = browse(shippers.start_squid(names("squid")), web_server)
        requested += ask_all("dnsmasq", shippers.start_dnsmasq())

        bench.wait_for_verdicts(len(requested), worker)

        records = read_all(kafka.bootstrap_servers, bench.verdicts)
        verdicts = [json.loads(record.value or b"") for record in records]
        found = [Requested(each["kind"], each["observed"], each["client"]) for each in verdicts]
        assert sorted(found) == sorted(requested)
        assert all(each["event_time"] for each in verdicts)
        assert bench.written(bench.dead_letters) == 0
    finally:
        shippers.close()
        bench.close()
